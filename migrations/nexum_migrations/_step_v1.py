"""The hot path inside PostgreSQL: record, then advance, in one call and one commit.

No decision is made here: an outcome is written under its token, the run's row is compared and set, rows follow. The record
stands outside the inner block; what the block's exception takes back is the advance alone. `enable_seqscan` is off because
plans are cached when these tables happen to be empty.
"""

from __future__ import annotations

CLOCK = """
CREATE FUNCTION nexum_clock_v1(p_fixed bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN p_fixed > 0 THEN p_fixed ELSE (extract(epoch FROM clock_timestamp()) * 1000000)::bigint END
$$;
"""

# Whether a report that found no claim of its own was recorded before; otherwise it is kept as evidence, and one that says
# that it happened goes to its run as a fact of its own: the run knows whether another result stands there already.
SETTLED = """
CREATE FUNCTION nexum_settled_v1(
    p_run text, p_session text, p_tenant text, p_key text, p_token bigint, p_state text, p_outcome text,
    p_result bytea, p_result_hash text, p_reference text, p_raw bytea, p_now bigint,
    m_dedupe text, m_type text, m_body bytea, m_payload bytea, m_priority bigint, m_actor text, m_trace text, m_at bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_dedupe text := 'late|' || p_token || '|' || m_dedupe;
BEGIN
    PERFORM 1 FROM nexum_effects
      WHERE tenant = p_tenant AND key = p_key AND token = p_token
        AND (state = p_state OR (state IN ('RECORDED', 'APPLIED') AND p_outcome = 'APPLIED'));
    IF FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO nexum_effect_evidence (tenant, key, token, run_id, session, state, result, result_hash, reference, raw, at)
    VALUES (p_tenant, p_key, p_token, p_run, p_session, p_outcome, p_result, p_result_hash, p_reference, p_raw, p_now)
    ON CONFLICT DO NOTHING;
    IF p_outcome = 'APPLIED' AND NOT EXISTS (SELECT 1 FROM nexum_events WHERE run_id = p_run AND dedupe = v_dedupe) THEN
        INSERT INTO nexum_inbox (run_id, dedupe, type, body, payload, priority, actor, trace, at)
        VALUES (p_run, v_dedupe, m_type, m_body, m_payload, m_priority, m_actor, m_trace,
                CASE WHEN m_at > 0 THEN m_at ELSE p_now END)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN false;
END
$$;
"""

RECORD = """
CREATE FUNCTION nexum_record_v1(
    p_run text, p_session text,
    p_tenant text, p_key text, p_token bigint, p_outcome text,
    p_result bytea, p_result_hash text, p_reference text, p_raw bytea,
    m_run text, m_dedupe text, m_type text, m_body bytea, m_payload bytea, m_priority bigint, m_actor text, m_trace text,
    m_at bigint, p_fixed bigint,
    OUT o_recorded boolean, OUT o_known boolean)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now bigint := nexum_clock_v1(p_fixed);
    v_state text := CASE WHEN p_outcome = 'APPLIED' THEN 'RECORDED' ELSE p_outcome END;
BEGIN
    o_recorded := true;
    o_known := false;
    IF p_key <> '' THEN
        UPDATE nexum_effects
           SET state = v_state, result = p_result, result_hash = p_result_hash, reference = p_reference, raw = p_raw,
               recorded_at = v_now
         WHERE tenant = p_tenant AND key = p_key AND token = p_token
           AND (state = 'CLAIMED' OR (state IN ('IN_DOUBT', 'UNKNOWN') AND p_outcome = 'APPLIED'));
        IF NOT FOUND AND NOT nexum_settled_v1(p_run, p_session, p_tenant, p_key, p_token, v_state, p_outcome,
                                              p_result, p_result_hash, p_reference, p_raw, v_now, m_dedupe, m_type,
                                              m_body, m_payload, m_priority, m_actor, m_trace, m_at) THEN
            o_recorded := false;
            RETURN;
        END IF;
    END IF;
    PERFORM 1 FROM nexum_events WHERE run_id = m_run AND dedupe = m_dedupe AND dedupe > '';
    IF FOUND THEN
        o_known := true;
        RETURN;
    END IF;
    INSERT INTO nexum_inbox (run_id, dedupe, type, body, payload, priority, actor, trace, at)
    VALUES (m_run, m_dedupe, m_type, m_body, m_payload, m_priority, m_actor, m_trace,
            CASE WHEN m_at > 0 THEN m_at ELSE v_now END)
    ON CONFLICT DO NOTHING;
    o_known := NOT FOUND;
END
$$;
"""

# Somebody was faster, or a constraint spoke: recorded, not applied, and the fact waits in the inbox.
DEFER = """
CREATE FUNCTION nexum_defer_v1(
    p_tenant text, p_key text, p_token bigint,
    m_run text, m_dedupe text, m_type text, m_body bytea, m_payload bytea, m_priority bigint, m_actor text, m_trace text,
    m_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM 1 FROM nexum_events WHERE run_id = m_run AND dedupe = m_dedupe AND dedupe > '';
    IF FOUND THEN
        RETURN;
    END IF;
    IF p_key <> '' THEN
        UPDATE nexum_effects SET state = 'RECORDED'
         WHERE tenant = p_tenant AND key = p_key AND token = p_token AND state = 'APPLIED';
    END IF;
    INSERT INTO nexum_inbox (run_id, dedupe, type, body, payload, priority, actor, trace, at)
    VALUES (m_run, m_dedupe, m_type, m_body, m_payload, m_priority, m_actor, m_trace, m_at)
    ON CONFLICT DO NOTHING;
END
$$;
"""

# The ordinary step of a chain: two events, one task goes, one comes. What both events share is sent once, the payload too
# (`result` NULL means `a_payload`). On this path the server spends as long on reading the call as on writing a row: all
# that is said is one composite value, read in one go, where fifty arguments are resolved and cast one by one; and the
# answer is one array (cas, recorded, claimed, mail, now), because a record would go through a table of its own.
CHAIN = """
CREATE TYPE nexum_chain_v1 AS (
    run text, tenant text, seq bigint, hash bytea, session text,
    at bigint, actor text, trace text, engine text, schema bigint,
    a_type text, a_path text, a_visit bigint, a_item bigint, a_attempt bigint, a_dedupe text, a_body bytea, a_payload bytea,
    a_hash bytea,
    b_type text, b_path text, b_visit bigint, b_item bigint, b_attempt bigint, b_body bytea, b_hash bytea,
    t_attempt bigint, t_kind text, t_queue text, t_priority bigint, t_not_before bigint, t_start_by bigint,
    t_max_run bigint, claim boolean, fixed bigint,
    key text, token bigint, outcome text, result bytea, result_hash text, reference text, raw bytea,
    t_key text, t_scope text, t_business text, t_input_hash text, t_tool text, t_policy text, t_ttl bigint);

CREATE FUNCTION nexum_step_chain_v1(p nexum_chain_v1) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now bigint := nexum_clock_v1(p.fixed);
    v_result bytea := coalesce(p.result, p.a_payload);
    v_cas boolean := false;
    v_claimed boolean := false;
    v_mail boolean;
BEGIN
    IF p.key <> '' THEN
        UPDATE nexum_effects
           SET state = p.outcome, result = v_result, result_hash = p.result_hash, reference = p.reference, raw = p.raw,
               recorded_at = v_now
         WHERE tenant = p.tenant AND key = p.key AND token = p.token
           AND (state = 'CLAIMED' OR (state IN ('IN_DOUBT', 'UNKNOWN') AND p.outcome = 'APPLIED'));
        IF NOT FOUND AND NOT nexum_settled_v1(p.run, p.session, p.tenant, p.key, p.token, p.outcome, p.outcome,
                                              v_result, p.result_hash, p.reference, p.raw, v_now, p.a_dedupe, p.a_type,
                                              p.a_body, p.a_payload, 0, p.actor, p.trace, p.at) THEN
            RETURN ARRAY[0, 0, 0, 0, v_now];
        END IF;
    END IF;
    BEGIN
        UPDATE nexum_runs
           SET last_seq = p.seq + 2, last_hash = p.b_hash, status = 'RUNNING', session = p.session, error_code = '',
               updated_at = v_now
         WHERE run_id = p.run AND last_seq = p.seq AND last_hash = p.hash;
        IF FOUND THEN
            INSERT INTO nexum_events (run_id, seq, type, path, visit, item, attempt, at, actor, trace, tenant, engine,
                                      schema, dedupe, body, payload, prev_hash, hash)
            VALUES (p.run, p.seq + 1, p.a_type, p.a_path, p.a_visit, p.a_item, p.a_attempt, p.at, p.actor, p.trace,
                    p.tenant, p.engine, p.schema, p.a_dedupe, p.a_body, p.a_payload, p.hash, p.a_hash),
                   (p.run, p.seq + 2, p.b_type, p.b_path, p.b_visit, p.b_item, p.b_attempt, p.at, 'engine', p.trace,
                    p.tenant, p.engine, p.schema, '', p.b_body, '', p.a_hash, p.b_hash);
            DELETE FROM nexum_tasks
             WHERE run_id = p.run AND path = p.a_path AND visit = p.a_visit AND item = p.a_item AND attempt = p.a_attempt;
            v_claimed := p.claim AND p.t_not_before <= v_now;
            IF v_claimed AND p.t_key <> '' THEN
                INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token,
                                           session, state, before, input_hash, tool, policy, ttl, first_sent_at, claimed_at,
                                           recorded_at, result, result_hash, reference, raw)
                VALUES (p.tenant, p.t_key, p.t_scope, p.t_business, p.run, p.b_path, p.b_visit, p.b_item, p.t_attempt, 1,
                        p.session, 'CLAIMED', '', p.t_input_hash, p.t_tool, p.t_policy, p.t_ttl, v_now, v_now,
                        0, '', '', '', '')
                ON CONFLICT DO NOTHING;
                v_claimed := FOUND;
            END IF;
            INSERT INTO nexum_tasks (run_id, path, visit, item, attempt, tenant, kind, queue, state, priority, not_before,
                                     start_by, max_run, created_at, token, session, deliveries, claimed_at, told_at,
                                     told_count, effect_key, effect_scope, business_key, input_hash, tool, policy, ttl,
                                     waits_for)
            VALUES (p.run, p.b_path, p.b_visit, p.b_item, p.t_attempt, p.tenant, p.t_kind, p.t_queue,
                    CASE WHEN v_claimed THEN 'CLAIMED' ELSE 'READY' END, p.t_priority, p.t_not_before,
                    p.t_start_by, p.t_max_run, v_now, v_claimed::int, CASE WHEN v_claimed THEN p.session ELSE '' END,
                    v_claimed::int, CASE WHEN v_claimed THEN v_now ELSE 0 END, 0,
                    0, p.t_key, p.t_scope, p.t_business, p.t_input_hash, p.t_tool, p.t_policy, p.t_ttl, '');
            v_cas := true;
        END IF;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
        v_cas := false;
        v_claimed := false;
    END;
    IF NOT v_cas THEN
        PERFORM nexum_defer_v1(p.tenant, p.key, p.token, p.run, p.a_dedupe, p.a_type, p.a_body, p.a_payload, 0, p.actor,
                               p.trace, p.at);
    END IF;
    -- A statement of its own, hence a newer snapshot: mail that arrived meanwhile is seen.
    v_mail := EXISTS (SELECT 1 FROM nexum_inbox WHERE run_id = p.run);
    RETURN ARRAY[v_cas::int, 1, v_claimed::int, v_mail::int, v_now];
END
$$;
"""

# Every other shape: joins, forks, ends, timers, several facts at once. e_: events, d_: tasks that go, n_: new tasks.
STEP = """
CREATE FUNCTION nexum_step_v1(
    p_run text, p_tenant text, p_seq bigint, p_hash bytea, p_new_seq bigint, p_new_hash bytea, p_status text, p_error text,
    p_closed boolean, p_session text,
    p_effect_tenant text, p_key text, p_token bigint, p_outcome text,
    p_result bytea, p_result_hash text, p_reference text, p_raw bytea,
    m_run text, m_dedupe text, m_type text, m_body bytea, m_payload bytea, m_priority bigint, m_actor text, m_trace text,
    m_at bigint,
    e_seq bigint[], e_type text[], e_path text[], e_visit bigint[], e_item bigint[], e_attempt bigint[], e_at bigint[],
    e_actor text[], e_trace text[], e_tenant text[], e_engine text[], e_schema bigint[], e_dedupe text[], e_body bytea[],
    e_payload bytea[], e_prev_hash bytea[], e_hash bytea[],
    d_path text[], d_visit bigint[], d_item bigint[], d_attempt bigint[],
    n_path text[], n_visit bigint[], n_item bigint[], n_attempt bigint[], n_kind text[], n_queue text[],
    n_priority bigint[], n_not_before bigint[], n_start_by bigint[], n_max_run bigint[], n_key text[], n_scope text[],
    n_business text[], n_input_hash text[], n_tool text[], n_policy text[], n_ttl bigint[],
    r_timer text[], r_due bigint[], c_timer text[], p_applied text[],
    p_claim bigint, p_fixed bigint,
    OUT o_cas boolean, OUT o_recorded boolean, OUT o_claimed boolean, OUT o_mail boolean, OUT o_now bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    c bigint := p_claim;  -- counts from 1; 0 is none
BEGIN
    o_now := nexum_clock_v1(p_fixed);
    o_cas := false;
    o_recorded := true;
    o_claimed := false;
    o_mail := false;
    IF p_key <> '' THEN
        UPDATE nexum_effects
           SET state = p_outcome, result = p_result, result_hash = p_result_hash, reference = p_reference, raw = p_raw,
               recorded_at = o_now
         WHERE tenant = p_effect_tenant AND key = p_key AND token = p_token
           AND (state = 'CLAIMED' OR (state IN ('IN_DOUBT', 'UNKNOWN') AND p_outcome = 'APPLIED'));
        IF NOT FOUND AND NOT nexum_settled_v1(m_run, p_session, p_effect_tenant, p_key, p_token, p_outcome, p_outcome,
                                              p_result, p_result_hash, p_reference, p_raw, o_now, m_dedupe, m_type,
                                              m_body, m_payload, m_priority, m_actor, m_trace, m_at) THEN
            o_recorded := false;
            RETURN;
        END IF;
    END IF;
    BEGIN
        UPDATE nexum_runs
           SET last_seq = p_new_seq, last_hash = p_new_hash, status = p_status, session = p_session, error_code = p_error,
               updated_at = o_now, ended_at = CASE WHEN p_closed THEN o_now ELSE ended_at END
         WHERE run_id = p_run AND last_seq = p_seq AND last_hash = p_hash;
        IF FOUND THEN
            INSERT INTO nexum_events (run_id, seq, type, path, visit, item, attempt, at, actor, trace, tenant, engine,
                                      schema, dedupe, body, payload, prev_hash, hash)
            SELECT p_run, e.* FROM unnest(e_seq, e_type, e_path, e_visit, e_item, e_attempt, e_at, e_actor, e_trace,
                                          e_tenant, e_engine, e_schema, e_dedupe, e_body, e_payload, e_prev_hash, e_hash) e;
            FOR i IN 1 .. cardinality(d_path) LOOP  -- by its whole key each: a join would read all tasks of the run
                DELETE FROM nexum_tasks
                 WHERE run_id = p_run AND path = d_path[i] AND visit = d_visit[i] AND item = d_item[i]
                   AND attempt = d_attempt[i];
            END LOOP;
            IF cardinality(c_timer) > 0 THEN
                DELETE FROM nexum_timers WHERE run_id = p_run AND timer = ANY (c_timer);
            END IF;
            FOR i IN 1 .. cardinality(r_timer) LOOP
                INSERT INTO nexum_timers (run_id, timer, due) VALUES (p_run, r_timer[i], r_due[i])
                ON CONFLICT (run_id, timer) DO UPDATE SET due = excluded.due;
            END LOOP;
            o_claimed := c > 0 AND n_not_before[c] <= o_now;
            IF o_claimed AND n_key[c] <> '' THEN
                INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token,
                                           session, state, before, input_hash, tool, policy, ttl, first_sent_at, claimed_at,
                                           recorded_at, result, result_hash, reference, raw)
                VALUES (p_tenant, n_key[c], n_scope[c], n_business[c], p_run, n_path[c], n_visit[c], n_item[c],
                        n_attempt[c], 1, p_session, 'CLAIMED', '', n_input_hash[c], n_tool[c], n_policy[c], n_ttl[c],
                        o_now, o_now, 0, '', '', '', '')
                ON CONFLICT DO NOTHING;
                o_claimed := FOUND;
            END IF;
            IF cardinality(n_path) > 0 THEN
                INSERT INTO nexum_tasks (run_id, path, visit, item, attempt, tenant, kind, queue, state, priority, not_before,
                                         start_by, max_run, created_at, token, session, deliveries, claimed_at, told_at,
                                         told_count, effect_key, effect_scope, business_key, input_hash, tool, policy, ttl,
                                         waits_for)
                SELECT p_run, n.path, n.visit, n.item, n.attempt, p_tenant, n.kind, n.queue,
                       CASE WHEN h.held THEN 'CLAIMED' ELSE 'READY' END, n.priority, n.not_before, n.start_by, n.max_run, o_now,
                       h.held::int, CASE WHEN h.held THEN p_session ELSE '' END, h.held::int,
                       CASE WHEN h.held THEN o_now ELSE 0 END, 0, 0,
                       n.key, n.scope, n.business, n.input_hash, n.tool, n.policy, n.ttl, ''
                  FROM unnest(n_path, n_visit, n_item, n_attempt, n_kind, n_queue, n_priority, n_not_before, n_start_by,
                              n_max_run, n_key, n_scope, n_business, n_input_hash, n_tool, n_policy, n_ttl)
                       WITH ORDINALITY AS n (path, visit, item, attempt, kind, queue, priority, not_before, start_by, max_run,
                                             key, scope, business, input_hash, tool, policy, ttl, number)
                 CROSS JOIN LATERAL (SELECT o_claimed AND n.number = c AS held) h;
            END IF;
            IF cardinality(p_applied) > 0 THEN
                UPDATE nexum_effects SET state = 'APPLIED'
                 WHERE tenant = p_tenant AND key = ANY (p_applied) AND run_id = p_run
                   AND state IN ('RECORDED', 'UNKNOWN', 'IN_DOUBT');
            END IF;
            IF p_closed THEN
                DELETE FROM nexum_tasks WHERE run_id = p_run;
                DELETE FROM nexum_timers WHERE run_id = p_run;
                o_claimed := false;
            END IF;
            o_cas := true;
        END IF;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
        o_cas := false;
        o_claimed := false;
    END;
    IF NOT o_cas THEN
        PERFORM nexum_defer_v1(p_effect_tenant, p_key, p_token, m_run, m_dedupe, m_type, m_body, m_payload, m_priority,
                               m_actor, m_trace, CASE WHEN m_at > 0 THEN m_at ELSE o_now END);
    END IF;
    o_mail := EXISTS (SELECT 1 FROM nexum_inbox WHERE run_id = p_run);
END
$$;
"""

CREATE = CLOCK + SETTLED + RECORD + DEFER + CHAIN + STEP
DROP = """
DROP FUNCTION nexum_step_v1;
DROP FUNCTION nexum_step_chain_v1;
DROP TYPE nexum_chain_v1;
DROP FUNCTION nexum_defer_v1;
DROP FUNCTION nexum_record_v1;
DROP FUNCTION nexum_settled_v1;
DROP FUNCTION nexum_clock_v1;
"""
