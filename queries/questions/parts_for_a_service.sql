-- Which parts a service needs, how many of each, and what they cost at today's list price.
SELECT serviceid, service, sku, part_name, quantity, unit_price, parts_cost
FROM v_service_with_parts
WHERE service = 'Front brake pads'
ORDER BY parts_cost DESC NULLS LAST, sku
