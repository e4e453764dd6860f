-- The ten services that brought in the most, over both systems, and their share of all service revenue in percent.
SELECT
    l.serviceid,
    max(s.service) AS service,
    sum(l.line_total) AS revenue,
    round(100.0 * sum(l.line_total) / sum(sum(l.line_total)) OVER (), 1) AS percent_of_all
FROM sales_order_services AS l
LEFT JOIN service AS s ON s.serviceid = l.serviceid
GROUP BY l.serviceid
ORDER BY revenue DESC NULLS LAST, l.serviceid
LIMIT 10
