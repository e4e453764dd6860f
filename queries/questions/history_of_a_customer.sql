-- Every order of one customer of the database, newest first, with what was spent up to then.
SELECT
    customer_name,
    invoice_number,
    order_date,
    order_type,
    status,
    total_amount,
    sum(total_amount) OVER (ORDER BY order_date, order_id) AS spent_so_far
FROM v_sales_order_summary
WHERE source_system = 'db' AND customer_id = 1
ORDER BY order_date DESC, order_id DESC
