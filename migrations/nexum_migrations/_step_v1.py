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

# Whether a report that found no claim of its own was recorded before; otherwise it is kept as evidence.
SETTLED = """
CREATE FUNCTION nexum_settled_v1(
    p_run text, p_session text, p_tenant text, p_key text, p_token bigint, p_state text, p_outcome text,
    p_result bytea, p_result_hash text, p_reference text, p_raw bytea, p_now bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
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
                                              p_result, p_result_hash, p_reference, p_raw, v_now) THEN
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
# (p_result NULL means a_payload); what concerns effects stands at the end, with defaults, and is left out where there is
# none: on this path the text of the call is a good part of its price.
CHAIN = """
CREATE FUNCTION nexum_step_chain_v1(
    p_run text, p_tenant text, p_seq bigint, p_hash bytea, p_session text,
    p_at bigint, p_actor text, p_trace text, p_engine text, p_schema bigint,
    a_type text, a_path text, a_visit bigint, a_item bigint, a_attempt bigint, a_dedupe text, a_body bytea, a_payload bytea,
    a_hash bytea,
    b_type text, b_path text, b_visit bigint, b_item bigint, b_attempt bigint, b_body bytea, b_hash bytea,
    t_attempt bigint, t_kind text, t_queue text, t_priority bigint, t_not_before bigint, t_start_by bigint,
    t_max_run bigint, p_claim boolean, p_fixed bigint,
    p_key text DEFAULT '', p_token bigint DEFAULT 0, p_outcome text DEFAULT '', p_result bytea DEFAULT NULL,
    p_result_hash text DEFAULT '', p_reference text DEFAULT '', p_raw bytea DEFAULT '',
    t_key text DEFAULT '', t_scope text DEFAULT '', t_business text DEFAULT '', t_input_hash text DEFAULT '',
    t_tool text DEFAULT '', t_policy text DEFAULT '', t_ttl bigint DEFAULT 0,
    OUT o_cas boolean, OUT o_recorded boolean, OUT o_claimed boolean, OUT o_mail boolean, OUT o_now bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_result bytea := coalesce(p_result, a_payload);
BEGIN
    o_now := nexum_clock_v1(p_fixed);
    o_cas := false;
    o_recorded := true;
    o_claimed := false;
    o_mail := false;
    IF p_key <> '' THEN
        UPDATE nexum_effects
           SET state = p_outcome, result = v_result, result_hash = p_result_hash, reference = p_reference, raw = p_raw,
               recorded_at = o_now
         WHERE tenant = p_tenant AND key = p_key AND token = p_token
           AND (state = 'CLAIMED' OR (state IN ('IN_DOUBT', 'UNKNOWN') AND p_outcome = 'APPLIED'));
        IF NOT FOUND AND NOT nexum_settled_v1(p_run, p_session, p_tenant, p_key, p_token, p_outcome, p_outcome,
                                              v_result, p_result_hash, p_reference, p_raw, o_now) THEN
            o_recorded := false;
            RETURN;
        END IF;
    END IF;
    BEGIN
        UPDATE nexum_runs
           SET last_seq = p_seq + 2, last_hash = b_hash, status = 'RUNNING', session = p_session, error_code = '',
               updated_at = o_now
         WHERE run_id = p_run AND last_seq = p_seq AND last_hash = p_hash;
        IF FOUND THEN
            INSERT INTO nexum_events (run_id, seq, type, path, visit, item, attempt, at, actor, trace, tenant, engine,
                                      schema, dedupe, body, payload, prev_hash, hash)
            VALUES (p_run, p_seq + 1, a_type, a_path, a_visit, a_item, a_attempt, p_at, p_actor, p_trace, p_tenant,
                    p_engine, p_schema, a_dedupe, a_body, a_payload, p_hash, a_hash),
                   (p_run, p_seq + 2, b_type, b_path, b_visit, b_item, b_attempt, p_at, 'engine', p_trace, p_tenant,
                    p_engine, p_schema, '', b_body, '', a_hash, b_hash);
            DELETE FROM nexum_tasks
             WHERE run_id = p_run AND path = a_path AND visit = a_visit AND item = a_item AND attempt = a_attempt;
            o_claimed := p_claim AND t_not_before <= o_now;
            IF o_claimed AND t_key <> '' THEN
                INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token,
                                           session, state, before, input_hash, tool, policy, ttl, first_sent_at, claimed_at,
                                           recorded_at, result, result_hash, reference, raw)
                VALUES (p_tenant, t_key, t_scope, t_business, p_run, b_path, b_visit, b_item, t_attempt, 1,
                        p_session, 'CLAIMED', '', t_input_hash, t_tool, t_policy, t_ttl, o_now, o_now,
                        0, '', '', '', '')
                ON CONFLICT DO NOTHING;
                o_claimed := FOUND;
            END IF;
            INSERT INTO nexum_tasks (run_id, path, visit, item, attempt, tenant, kind, queue, state, priority, not_before,
                                     start_by, max_run, created_at, token, session, deliveries, claimed_at, told_at,
                                     told_count, effect_key, effect_scope, business_key, input_hash, tool, policy, ttl)
            VALUES (p_run, b_path, b_visit, b_item, t_attempt, p_tenant, t_kind, t_queue,
                    CASE WHEN o_claimed THEN 'CLAIMED' ELSE 'READY' END, t_priority, t_not_before,
                    t_start_by, t_max_run, o_now, o_claimed::int, CASE WHEN o_claimed THEN p_session ELSE '' END,
                    o_claimed::int, CASE WHEN o_claimed THEN o_now ELSE 0 END, 0,
                    0, t_key, t_scope, t_business, t_input_hash, t_tool, t_policy, t_ttl);
            o_cas := true;
        END IF;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
        o_cas := false;
        o_claimed := false;
    END;
    IF NOT o_cas THEN
        PERFORM nexum_defer_v1(p_tenant, p_key, p_token, p_run, a_dedupe, a_type, a_body, a_payload, 0, p_actor,
                               p_trace, p_at);
    END IF;
    -- A statement of its own, hence a newer snapshot: mail that arrived meanwhile is seen.
    o_mail := EXISTS (SELECT 1 FROM nexum_inbox WHERE run_id = p_run);
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
                                              p_result, p_result_hash, p_reference, p_raw, o_now) THEN
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
                                         told_count, effect_key, effect_scope, business_key, input_hash, tool, policy, ttl)
                SELECT p_run, n.path, n.visit, n.item, n.attempt, p_tenant, n.kind, n.queue,
                       CASE WHEN h.held THEN 'CLAIMED' ELSE 'READY' END, n.priority, n.not_before, n.start_by, n.max_run, o_now,
                       h.held::int, CASE WHEN h.held THEN p_session ELSE '' END, h.held::int,
                       CASE WHEN h.held THEN o_now ELSE 0 END, 0, 0,
                       n.key, n.scope, n.business, n.input_hash, n.tool, n.policy, n.ttl
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
DROP FUNCTION nexum_defer_v1;
DROP FUNCTION nexum_record_v1;
DROP FUNCTION nexum_settled_v1;
DROP FUNCTION nexum_clock_v1;
"""
