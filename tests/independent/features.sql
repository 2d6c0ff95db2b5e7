-- The features of requests, from the tables alone.
--
-- `asked` names flights that were about to leave: the id of a prediction, its data time, the carrier's code with
-- the flight's number, and the airport. `drawn` holds requests about no flight in particular. `flights`, `weather`
-- and `planes` are the tables. Instants are microseconds since 1970 throughout. Makes `answers`.

CREATE TEMP TABLE requests AS
SELECT asked.id, asked.asked_at, flights.carrier, flights.origin, flights.tailnum, flights.distance
FROM asked
LEFT JOIN flights
  ON epoch_us(flights.time_hour) + flights.minute * 60000000 = asked.asked_at
 AND flights.carrier || CAST(flights.flight AS VARCHAR) = asked.key
 AND flights.origin = asked.origin
UNION ALL
SELECT id, asked_at, carrier, origin, tailnum, distance FROM drawn;

-- A departure is known in the minute in which it happens; a flight that never left makes no fact.
CREATE TEMP TABLE facts AS
WITH departures AS (
  SELECT origin, carrier, epoch_us(time_hour) + (minute + dep_delay) * 60000000 AS ts, dep_delay > 15 AS is_late
  FROM flights WHERE dep_delay IS NOT NULL
)
SELECT 'origin_recent' AS of_view, origin AS entity, ts, is_late FROM departures
UNION ALL
SELECT 'carrier_recent', carrier, ts, is_late FROM departures;

-- How many facts there had been by then.
CREATE TEMP TABLE tally AS
SELECT of_view, entity, ts,
       sum(count(*)) OVER so_far AS departed, sum(count(*) FILTER (is_late)) OVER so_far AS late
FROM facts GROUP BY of_view, entity, ts
WINDOW so_far AS (PARTITION BY of_view, entity ORDER BY ts);

-- The step function over (ts - 3 h, ts]: a row whenever a fact enters, and whenever one leaves.
CREATE TEMP TABLE emitted AS
WITH breakpoints AS (
  SELECT of_view, entity, ts FROM facts
  UNION
  SELECT of_view, entity, ts + 10800000000 FROM facts
)
SELECT b.of_view, b.entity, b.ts,
       now.departed - coalesce(before.departed, 0) AS departed, now.late - coalesce(before.late, 0) AS late
FROM breakpoints b
ASOF JOIN tally now ON b.of_view = now.of_view AND b.entity = now.entity AND b.ts >= now.ts
ASOF LEFT JOIN tally before
  ON b.of_view = before.of_view AND b.entity = before.entity AND b.ts - 10800000000 >= before.ts;

-- The newest row, which answers if it is at most a day old. Both bounds are inclusive. `in_window` is counted
-- anew, over the three hours before the request: the step function must say the same.
CREATE TEMP TABLE recent AS
WITH wanted AS (
  SELECT id, asked_at, 'origin_recent' AS of_view, origin AS entity FROM requests
  UNION ALL
  SELECT id, asked_at, 'carrier_recent', carrier FROM requests
),
counted AS (
  SELECT w.*, coalesce(now.departed, 0) - coalesce(before.departed, 0) AS in_window
  FROM wanted w
  ASOF LEFT JOIN tally now ON w.of_view = now.of_view AND w.entity = now.entity AND w.asked_at >= now.ts
  ASOF LEFT JOIN tally before
    ON w.of_view = before.of_view AND w.entity = before.entity AND w.asked_at - 10800000000 >= before.ts
)
SELECT c.id, c.of_view, c.in_window, e.ts, e.departed, e.late / nullif(e.departed, 0) AS late_rate,
       e.ts >= c.asked_at - 86400000000 AS is_fresh
FROM counted c
ASOF JOIN emitted e ON c.of_view = e.of_view AND c.entity = e.entity AND c.asked_at >= e.ts;

CREATE TEMP TABLE weather_now AS
SELECT r.id, epoch_us(w.time_hour) AS ts, epoch_us(w.time_hour) >= r.asked_at - 10800000000 AS is_fresh,
       w.temp, w.wind_speed, w.precip, w.visib, w.pressure
FROM requests r
ASOF JOIN weather w ON r.origin = w.origin AND r.asked_at >= epoch_us(w.time_hour);

CREATE TEMP TABLE answers AS
SELECT
  r.id,
  {'origin': r.origin, 'carrier': r.carrier, 'tailnum': r.tailnum, 'distance': r.distance} AS entities,
  {
    'weather_now__temp': w.temp,
    'weather_now__wind_speed': w.wind_speed,
    'weather_now__precip': w.precip,
    'weather_now__visib': w.visib,
    'weather_now__pressure': w.pressure,
    'origin_recent__late_3h': o.late_rate,
    'origin_recent__departures_3h': CAST(o.departed AS BIGINT),
    'carrier_recent__late_3h': c.late_rate,
    'plane_facts__built': CAST(p.year AS DOUBLE),
    'plane_facts__seats': CAST(p.seats AS DOUBLE),
    -- 1970 began on a Thursday; Sunday is 0.
    'hour': CAST(r.asked_at // 3600000000 % 24 AS DOUBLE),
    'weekday': CAST((r.asked_at // 86400000000 + 4) % 7 AS DOUBLE),
    'miles': CAST(r.distance AS DOUBLE),
    'carrier_code': r.carrier,
    'origin_code': r.origin
  } AS features,
  -- Nothing is known later than it happened, so both instants of a row are one.
  {
    'weather_now': {'ts': nw.ts, 'is_fresh': nw.is_fresh},
    'origin_recent': {'ts': no.ts, 'is_fresh': no.is_fresh},
    'carrier_recent': {'ts': nc.ts, 'is_fresh': nc.is_fresh},
    'plane_facts': {'ts': CASE WHEN p.tailnum IS NOT NULL THEN CAST(0 AS BIGINT) END, 'is_fresh': true}
  } AS reads,
  -- A row was emitted within the day before, but in the three hours before nothing departed any more.
  coalesce(o.in_window = 0, false) OR coalesce(c.in_window = 0, false) AS has_emptied,
  coalesce(no.in_window <> no.departed, false) OR coalesce(nc.in_window <> nc.departed, false) AS contradicts
FROM requests r
LEFT JOIN weather_now nw ON nw.id = r.id
LEFT JOIN recent no ON no.id = r.id AND no.of_view = 'origin_recent'
LEFT JOIN recent nc ON nc.id = r.id AND nc.of_view = 'carrier_recent'
-- Those that answer.
LEFT JOIN weather_now w ON w.id = r.id AND w.is_fresh
LEFT JOIN recent o ON o.id = r.id AND o.of_view = 'origin_recent' AND o.is_fresh
LEFT JOIN recent c ON c.id = r.id AND c.of_view = 'carrier_recent' AND c.is_fresh
LEFT JOIN planes p ON p.tailnum = r.tailnum;
