-- The ten services performed most often, over both systems.
SELECT l.serviceid, max(s.service) AS service, sum(l.quantity) AS times_performed, count(*) AS order_lines
FROM sales_order_services AS l
LEFT JOIN service AS s ON s.serviceid = l.serviceid
GROUP BY l.serviceid
ORDER BY times_performed DESC, l.serviceid
LIMIT 10
