-- The ten services that need the most different parts.
SELECT serviceid, service, count(sku) AS parts, sum(quantity) AS pieces
FROM v_service_with_parts
GROUP BY serviceid, service
ORDER BY parts DESC, serviceid
FETCH FIRST 10 ROWS ONLY
