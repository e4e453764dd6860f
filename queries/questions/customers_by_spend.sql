-- Customers of the database by what they spent; the same rank for the same sum.
SELECT
    rank() OVER (ORDER BY sum(total_amount) DESC) AS spend_rank,
    customer_id,
    max(customer_name) AS customer_name,
    count(*) AS orders,
    sum(total_amount) AS spent,
    max(order_date) AS last_order
FROM v_sales_order_summary
WHERE source_system = 'db'
GROUP BY customer_id
HAVING sum(total_amount) > 0
ORDER BY spend_rank, customer_id
LIMIT 100
