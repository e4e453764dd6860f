-- The operational database `autocorp`: seven tables and the two views that people use.
-- The lake's contracts are compared with this file, so a change here is a change of a contract.

CREATE TABLE auto_parts (
    sku            VARCHAR(50) PRIMARY KEY,
    name           VARCHAR(255) NOT NULL,
    description    TEXT,
    inventory_date DATE,
    vendor         VARCHAR(255),
    price          DECIMAL(10,2)
);

CREATE TABLE customers (
    customer_id SERIAL PRIMARY KEY,
    first_name  VARCHAR(100) NOT NULL,
    last_name   VARCHAR(100) NOT NULL,
    email       VARCHAR(200) UNIQUE NOT NULL,
    phone       VARCHAR(50),
    address     VARCHAR(300),
    city        VARCHAR(100),
    state       VARCHAR(50),
    zip_code    VARCHAR(20),
    created_at  TIMESTAMP DEFAULT now()
);

CREATE TABLE service (
    serviceid     VARCHAR(50) PRIMARY KEY,
    service       VARCHAR(200),
    category      VARCHAR(50),
    labor_minutes INT,
    labor_cost    MONEY
);

-- sku is no foreign key, here and in the order lines: parts leave the catalogue, their history stays.
CREATE TABLE service_parts (
    service_part_id SERIAL PRIMARY KEY,
    serviceid       VARCHAR(50) REFERENCES service (serviceid),
    sku             VARCHAR(50),
    quantity        INT DEFAULT 1,
    created_at      TIMESTAMP DEFAULT now(),
    UNIQUE (serviceid, sku)
);

CREATE TABLE sales_order (
    order_id       SERIAL PRIMARY KEY,
    customer_id    INT NOT NULL REFERENCES customers (customer_id),
    order_date     TIMESTAMP NOT NULL,
    invoice_number VARCHAR(50) UNIQUE NOT NULL,
    payment_method VARCHAR(50),
    subtotal       DECIMAL(12,2),
    tax            DECIMAL(12,2),
    total_amount   DECIMAL(12,2),
    order_type     VARCHAR(20) CHECK (order_type IN ('Parts', 'Service', 'Mixed')),
    status         VARCHAR(50) DEFAULT 'Completed',
    notes          TEXT,
    created_at     TIMESTAMP DEFAULT now(),
    updated_at     TIMESTAMP DEFAULT now()
);

CREATE TABLE sales_order_parts (
    line_item_id     SERIAL PRIMARY KEY,
    order_id         INT NOT NULL REFERENCES sales_order (order_id) ON DELETE CASCADE,
    part_id          INT,
    sku              VARCHAR(50),
    part_description VARCHAR(200),
    quantity         INT NOT NULL CHECK (quantity > 0),
    unit_price       DECIMAL(10,2),
    line_total       DECIMAL(12,2),
    created_at       TIMESTAMP DEFAULT now()
);

CREATE TABLE sales_order_services (
    line_item_id        SERIAL PRIMARY KEY,
    order_id            INT NOT NULL REFERENCES sales_order (order_id) ON DELETE CASCADE,
    serviceid           VARCHAR(50) REFERENCES service (serviceid),
    service_description VARCHAR(200),
    quantity            INT NOT NULL DEFAULT 1 CHECK (quantity > 0),
    labor_minutes       INT,
    labor_cost          DECIMAL(10,2),
    parts_cost          DECIMAL(10,2) DEFAULT 0,
    line_total          DECIMAL(12,2),
    vehicle_id          VARCHAR(50),
    technician_id       VARCHAR(50),
    service_status      VARCHAR(50),
    created_at          TIMESTAMP DEFAULT now()
);

-- PostgreSQL does not index the referring side: without these, each deleted order scans both line tables.
CREATE INDEX sales_order_customer_id ON sales_order (customer_id);
CREATE INDEX sales_order_parts_order_id ON sales_order_parts (order_id);
CREATE INDEX sales_order_services_order_id ON sales_order_services (order_id);
CREATE INDEX sales_order_services_serviceid ON sales_order_services (serviceid);

CREATE VIEW v_sales_order_summary AS
SELECT o.order_id,
       o.invoice_number,
       o.order_date,
       o.order_type,
       o.status,
       o.payment_method,
       o.customer_id,
       c.first_name || ' ' || c.last_name AS customer_name,
       c.email                            AS customer_email,
       (SELECT count(*) FROM sales_order_parts p WHERE p.order_id = o.order_id)    AS part_lines,
       (SELECT count(*) FROM sales_order_services s WHERE s.order_id = o.order_id) AS service_lines,
       o.subtotal,
       o.tax,
       o.total_amount
FROM sales_order o
JOIN customers c USING (customer_id);

CREATE VIEW v_service_with_parts AS
SELECT s.serviceid,
       s.service,
       s.category,
       s.labor_minutes,
       s.labor_cost,
       sp.sku,
       p.name                 AS part_name,
       sp.quantity,
       p.price                AS unit_price,
       sp.quantity * p.price  AS parts_cost
FROM service s
LEFT JOIN service_parts sp USING (serviceid)
LEFT JOIN auto_parts p ON p.sku = sp.sku;
