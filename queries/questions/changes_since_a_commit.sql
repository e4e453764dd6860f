-- Which orders were written after a commit of the table, and which raw file brought the change. Commits are
-- times, yyyyMMddHHmmssSSS in UTC. Deleted orders are gone: compare with `--as-of` the commit for those.
SELECT _hoodie_commit_time AS commit_time, record_key, invoice_number, status, changed_at, raw_file
FROM autocorp_lake.sales_order
WHERE _hoodie_commit_time > '20240101000000000'
ORDER BY _hoodie_commit_time DESC, record_key
