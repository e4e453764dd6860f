-- An order with its customer, and how many lines it has and what they come to. Both systems: an order is
-- known by (source_system, order_id). The export's customer numbers are the exporting system's own, so its
-- orders have no name here.
CREATE OR REPLACE VIEW autocorp.v_sales_order_summary AS
WITH parts AS (
    SELECT source_system, order_id, count(*) AS line_count, sum(line_total) AS total
    FROM autocorp_lake.sales_order_parts
    GROUP BY source_system, order_id
),
services AS (
    SELECT source_system, order_id, count(*) AS line_count, sum(line_total) AS total
    FROM autocorp_lake.sales_order_services
    GROUP BY source_system, order_id
)
SELECT
    o.order_id,
    o.invoice_number,
    o.order_date,
    o.order_type,
    o.status,
    o.payment_method,
    o.customer_id,
    c.first_name || ' ' || c.last_name AS customer_name,
    c.email AS customer_email,
    coalesce(p.line_count, 0) AS part_lines,
    coalesce(s.line_count, 0) AS service_lines,
    o.subtotal,
    o.tax,
    o.total_amount,
    coalesce(p.total, 0) AS parts_total,
    coalesce(s.total, 0) AS services_total,
    o.source_system
FROM autocorp_lake.sales_order AS o
LEFT JOIN autocorp_lake.customers AS c
    ON c.customer_id = o.customer_id AND c.source_system = o.source_system AND o.source_system = 'db'
LEFT JOIN parts AS p ON p.source_system = o.source_system AND p.order_id = o.order_id
LEFT JOIN services AS s ON s.source_system = o.source_system AND s.order_id = o.order_id
