-- One row a person: whoever has the same e-mail, trimmed and in lower case, is one.
-- The database's row wins over the export's. All columns of `customers`, and where the row comes from.
CREATE OR REPLACE VIEW autocorp.customer AS
WITH known_to_database AS (
    SELECT
        c.*,
        lower(trim(c.email)) AS person,
        row_number() OVER (PARTITION BY lower(trim(c.email)) ORDER BY c.change_seq DESC, c.record_key) AS nth
    FROM autocorp_lake.customers AS c
    WHERE c.source_system = 'db'
)
SELECT
    customer_id, first_name, last_name, email, phone, address, city, state, zip_code, created_at,
    record_key, source_system
FROM known_to_database
WHERE nth = 1
UNION ALL
SELECT
    e.customer_id, e.first_name, e.last_name, e.email, e.phone, e.address, e.city, e.state, e.zip_code, e.created_at,
    e.record_key, e.source_system
FROM autocorp_lake.customers AS e
LEFT JOIN known_to_database AS d ON d.person = lower(trim(e.email))
WHERE e.source_system = 'csv' AND d.person IS NULL
