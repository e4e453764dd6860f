-- What each technician did: jobs, minutes, and revenue from labour.
SELECT
    technician_id,
    count(*) AS jobs,
    sum(labor_minutes) AS minutes,
    sum(labor_cost * quantity) AS labor_revenue
FROM sales_order_services
WHERE technician_id IS NOT NULL
GROUP BY technician_id
ORDER BY labor_revenue DESC NULLS LAST, technician_id
