-- The parts on offer and their prices. As they were yesterday: run it with `--as-of yesterday`; any table and
-- view can be read so.
SELECT sku, name, vendor, price, inventory_date
FROM auto_parts
ORDER BY sku
