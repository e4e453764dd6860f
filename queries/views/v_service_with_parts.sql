-- A service with the parts that it needs, one row a part, and what they cost at today's list price.
-- A service without parts has one row; a part that has left the catalogue has no name and no price.
CREATE OR REPLACE VIEW autocorp.v_service_with_parts AS
SELECT
    s.serviceid,
    s.service,
    s.category,
    s.labor_minutes,
    s.labor_cost,
    sp.sku,
    p.name AS part_name,
    sp.quantity,
    p.price AS unit_price,
    sp.quantity * p.price AS parts_cost
FROM autocorp_lake.service AS s
LEFT JOIN autocorp_lake.service_parts AS sp ON sp.serviceid = s.serviceid
LEFT JOIN autocorp_lake.auto_parts AS p ON p.sku = sp.sku
