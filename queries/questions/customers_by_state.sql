-- How many people live in each state, each person once, and how many of them the database knows.
SELECT state, count(*) AS people, count_if(source_system = 'db') AS in_database
FROM customer
GROUP BY state
ORDER BY people DESC, state
