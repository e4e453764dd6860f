-- What the parts of each service are estimated to cost at today's list prices, next to its labour.
-- `unpriced` counts parts that have left the catalogue and are missing from the estimate.
SELECT
    serviceid,
    service,
    labor_cost,
    coalesce(sum(parts_cost), 0) AS estimated_parts_cost,
    labor_cost + coalesce(sum(parts_cost), 0) AS estimated_total,
    count_if(sku IS NOT NULL AND unit_price IS NULL) AS unpriced
FROM v_service_with_parts
GROUP BY serviceid, service, labor_cost
ORDER BY estimated_parts_cost DESC, serviceid
