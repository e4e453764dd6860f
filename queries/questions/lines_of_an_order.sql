-- All lines of one order, parts and services together. The two systems' order numbers overlap, so the order
-- is looked up by its invoice and then by (source_system, order_id).
WITH wanted AS (
    SELECT source_system, order_id
    FROM autocorp_lake.sales_order
    WHERE invoice_number = 'INV-2024-000001'
)
SELECT 'part' AS kind, p.sku AS item, p.part_description AS description, p.quantity, p.unit_price, p.line_total
FROM autocorp_lake.sales_order_parts AS p
JOIN wanted AS w ON w.source_system = p.source_system AND w.order_id = p.order_id
UNION ALL
SELECT 'service', s.serviceid, s.service_description, s.quantity, s.labor_cost + s.parts_cost, s.line_total
FROM autocorp_lake.sales_order_services AS s
JOIN wanted AS w ON w.source_system = s.source_system AND w.order_id = s.order_id
ORDER BY kind, item
