-- Revenue, number and average of the orders of the last 30 days, by type of order; the last row is the sum.
SELECT
    coalesce(order_type, 'all') AS order_type,
    count(*) AS orders,
    sum(total_amount) AS revenue,
    round(avg(total_amount), 2) AS average
FROM sales_order
WHERE order_date >= current_date - INTERVAL '30' DAY
GROUP BY GROUPING SETS ((order_type), ())
ORDER BY grouping(order_type), order_type
