-- The summary of one order, by the number on its invoice.
SELECT *
FROM v_sales_order_summary
WHERE invoice_number = 'INV-2024-000001'
