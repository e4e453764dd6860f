-- The orders of the last seven days, newest first, over both systems.
SELECT invoice_number, order_date, order_type, status, customer_name, part_lines, service_lines, total_amount
FROM v_sales_order_summary
WHERE order_date >= date_add('day', -7, current_timestamp)
ORDER BY order_date DESC, invoice_number
