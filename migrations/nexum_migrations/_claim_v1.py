"""Claims inside PostgreSQL: tasks by compare-and-set, their effects in the same transaction, in one round trip.

`nexum.store.claiming` says the same in Python for SQLite, with the reasons; one suite holds both to it.
"""

from __future__ import annotations

# How the claim of a task's effect goes: '' (it is claimed now), reuse, undone, taken, conflict, wait, doubt.
EFFECT = """
CREATE FUNCTION nexum_claim_effect_v1(
    t nexum_tasks, p_session text, p_now bigint,
    OUT o_answer text, OUT o_token bigint, OUT o_result bytea, OUT o_result_hash text, OUT o_reference text,
    OUT o_holder text, OUT o_undo_from bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    e nexum_effects%ROWTYPE;
    v_same boolean;
    v_mine boolean;
BEGIN
    o_answer := '';
    o_token := t.token;
    o_result := '';
    o_result_hash := '';
    o_reference := '';
    o_holder := '';
    o_undo_from := 0;
    IF t.attempt = 1 AND t.path LIKE '%/undo' THEN  -- whose result another run has taken is undone by a person's word only
        SELECT x.taken_by INTO o_holder FROM nexum_effects x
         WHERE x.run_id = t.run_id AND x.path = left(t.path, -5) AND x.visit = t.visit AND x.item = t.item
           AND x.tenant = t.tenant AND x.taken_by > '';
        IF FOUND THEN
            o_answer := 'taken';
            RETURN;
        END IF;
        o_holder := '';
    END IF;
    INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token, session, state,
                               before, input_hash, tool, policy, ttl, first_sent_at, claimed_at, recorded_at, result,
                               result_hash, reference, raw)
    VALUES (t.tenant, t.effect_key, t.effect_scope, t.business_key, t.run_id, t.path, t.visit, t.item, t.attempt, t.token,
            p_session, 'CLAIMED', '', t.input_hash, t.tool, t.policy, t.ttl, p_now, p_now, 0, '', '', '', '')
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO e FROM nexum_effects WHERE tenant = t.tenant AND key = t.effect_key FOR UPDATE;
    IF NOT FOUND AND t.business_key <> '' THEN
        SELECT * INTO e FROM nexum_effects
         WHERE tenant = t.tenant AND scope = t.effect_scope AND business_key = t.business_key AND business_key > ''
         FOR UPDATE;
    END IF;
    IF NOT FOUND THEN
        o_answer := 'wait';  -- it was given back between the two statements; the next claim finds it free
        RETURN;
    END IF;
    v_same := e.input_hash = t.input_hash;
    v_mine := e.run_id = t.run_id AND e.path = t.path AND e.visit = t.visit AND e.item = t.item;
    o_token := greatest(t.token, e.token + 1);
    IF NOT v_mine THEN
        o_holder := e.run_id || '/' || e.path;
    END IF;
    IF e.state IN ('RECORDED', 'APPLIED') THEN
        o_answer := CASE WHEN v_mine THEN 'reuse' WHEN e.undo_from > 0 THEN 'undone' WHEN v_same THEN 'reuse'
                         ELSE 'conflict' END;
    ELSIF e.state = 'FAILED' THEN
        o_answer := '';
    ELSIF NOT v_mine THEN
        o_answer := CASE WHEN v_same THEN 'wait' ELSE 'conflict' END;
    ELSIF e.state = 'IN_DOUBT' THEN
        o_answer := CASE WHEN e.attempt < t.attempt THEN '' ELSE 'doubt' END;
    ELSIF t.policy = 'dedupes' AND v_same AND 5 * (p_now - e.first_sent_at) < 4 * t.ttl THEN
        o_answer := '';
    ELSE
        o_answer := 'doubt';
    END IF;
    -- Left behind: its run has ended, and nobody alive is at work on it.
    IF o_answer = 'wait'
       AND NOT EXISTS (SELECT 1 FROM nexum_runs r WHERE r.run_id = e.run_id AND r.status IN ('RUNNING', 'CLOSING'))
       AND NOT EXISTS (SELECT 1 FROM nexum_sessions s
                        WHERE e.state = 'CLAIMED' AND s.session = e.session AND s.state IN ('LIVE', 'DRAINING')) THEN
        UPDATE nexum_effects
           SET key = t.effect_key, state = 'IN_DOUBT', before = e.state, run_id = t.run_id, path = t.path, visit = t.visit,
               item = t.item, attempt = t.attempt, token = o_token, session = p_session, tool = t.tool,
               policy = t.policy, ttl = t.ttl
         WHERE tenant = e.tenant AND key = e.key;
        o_token := o_token + 1;
        o_answer := 'doubt';
        RETURN;
    END IF;
    IF o_answer = '' THEN
        UPDATE nexum_effects
           SET key = t.effect_key, state = 'CLAIMED', before = e.state, run_id = t.run_id, path = t.path, visit = t.visit,
               item = t.item, attempt = t.attempt, token = o_token, session = p_session, input_hash = t.input_hash,
               tool = t.tool, policy = t.policy, ttl = t.ttl,
               first_sent_at = CASE WHEN e.state = 'FAILED' THEN p_now ELSE e.first_sent_at END,
               claimed_at = p_now, recorded_at = 0
         WHERE tenant = e.tenant AND key = e.key;
    ELSIF o_answer = 'doubt' THEN
        UPDATE nexum_effects SET state = 'IN_DOUBT', attempt = t.attempt WHERE tenant = e.tenant AND key = e.key;
    ELSIF o_answer = 'reuse' THEN
        o_result := e.result;
        o_result_hash := e.result_hash;
        o_reference := e.reference;
        IF e.run_id <> t.run_id THEN
            UPDATE nexum_effects SET taken_by = t.run_id || '/' || t.path WHERE tenant = e.tenant AND key = e.key;
        END IF;
    ELSIF o_answer = 'undone' THEN
        o_undo_from := e.undo_from;
    END IF;
END
$$;
"""

_ANSWER = """
    o_run text, o_path text, o_visit bigint, o_item bigint, o_attempt bigint, o_kind text, o_queue text, o_token bigint,
    o_deliveries bigint, o_max_run bigint, o_answer text, o_result bytea, o_result_hash text, o_reference text,
    o_last_seq bigint, o_last_hash bytea, o_now bigint,
    o_tenant text, o_trace text, o_befores bytea[], o_types text[], o_paths text[], o_visits bigint[], o_items bigint[],
    o_ats bigint[], o_bodies bytea[], o_payloads bytea[], o_hashes bytea[], o_holder text, o_undo_from bigint"""

# A task's row is CLAIMED already; its effect and the answer follow. The newest events go along, because who continues a run
# in another process most often lacks the two that made this task ready, and a new run has no more than that.
TAIL = f"""
CREATE FUNCTION nexum_claim_tail_v1(t nexum_tasks, p_session text, p_now bigint)
RETURNS TABLE ({_ANSWER})
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    o_run := t.run_id;
    o_path := t.path;
    o_visit := t.visit;
    o_item := t.item;
    o_attempt := t.attempt;
    o_kind := t.kind;
    o_queue := t.queue;
    o_token := t.token;
    o_deliveries := t.deliveries;
    o_max_run := t.max_run;
    o_answer := '';
    o_result := '';
    o_result_hash := '';
    o_reference := '';
    o_holder := '';
    o_undo_from := 0;
    o_now := p_now;
    IF t.effect_key <> '' THEN
        SELECT e.o_answer, e.o_token, e.o_result, e.o_result_hash, e.o_reference, e.o_holder, e.o_undo_from
          INTO o_answer, o_token, o_result, o_result_hash, o_reference, o_holder, o_undo_from
          FROM nexum_claim_effect_v1(t, p_session, p_now) e;
        IF o_answer = 'wait' THEN
            o_deliveries := t.deliveries - 1;
            UPDATE nexum_tasks
               SET state = 'READY', session = '', token = o_token, deliveries = o_deliveries, claimed_at = 0,
                   not_before = p_now + 1000000
             WHERE run_id = t.run_id AND path = t.path AND visit = t.visit AND item = t.item AND attempt = t.attempt;
        ELSIF o_token <> t.token THEN
            UPDATE nexum_tasks SET token = o_token
             WHERE run_id = t.run_id AND path = t.path AND visit = t.visit AND item = t.item AND attempt = t.attempt;
        END IF;
    END IF;
    SELECT r.last_seq, r.last_hash, r.tenant, r.trace, e.befores, e.types, e.paths, e.visits, e.items, e.ats, e.bodies,
           e.payloads, e.hashes
      INTO o_last_seq, o_last_hash, o_tenant, o_trace, o_befores, o_types, o_paths, o_visits, o_items, o_ats, o_bodies,
           o_payloads, o_hashes
      FROM nexum_runs r CROSS JOIN LATERAL (
          SELECT array_agg(n.prev_hash) AS befores, array_agg(n.type) AS types, array_agg(n.path) AS paths,
                 array_agg(n.visit) AS visits, array_agg(n.item) AS items, array_agg(n.at) AS ats,
                 array_agg(n.body) AS bodies, array_agg(n.payload) AS payloads, array_agg(n.hash) AS hashes
            FROM (SELECT x.* FROM nexum_events x WHERE x.run_id = t.run_id AND x.seq > r.last_seq - 4 ORDER BY x.seq) n) e
     WHERE r.run_id = t.run_id;
    RETURN NEXT;
END
$$;
"""  # noqa: S608 (no value from outside is in it)

# Queue by queue, so that each one is read in the order of its index; in the order of effect keys, so that two slices that
# meet the same business keys wait for each other instead of deadlocking.
CLAIM = f"""
CREATE FUNCTION nexum_claim_v1(p_session text, p_queues text[], p_limit bigint, p_fixed bigint)
RETURNS TABLE ({_ANSWER}, o_priority bigint, o_created_at bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now bigint := nexum_clock_v1(p_fixed);
    t nexum_tasks%ROWTYPE;
BEGIN
    FOR t IN
        WITH c AS MATERIALIZED (
            SELECT k.* FROM unnest(p_queues) AS q (name) CROSS JOIN LATERAL (
                SELECT x.run_id, x.path, x.visit, x.item, x.attempt, x.priority, x.created_at FROM nexum_tasks x
                 WHERE x.queue = q.name AND x.state = 'READY' AND x.not_before <= v_now
                 ORDER BY x.priority, x.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED) k
             ORDER BY k.priority, k.created_at LIMIT p_limit),
        u AS (
            UPDATE nexum_tasks x
               SET state = 'CLAIMED', session = p_session, token = x.token + 1, deliveries = x.deliveries + 1,
                   claimed_at = v_now
              FROM c
             WHERE x.run_id = c.run_id AND x.path = c.path AND x.visit = c.visit AND x.item = c.item
               AND x.attempt = c.attempt
            RETURNING x.*)
        SELECT u.* FROM u
         ORDER BY u.effect_key, u.priority, u.created_at, u.run_id, u.path, u.visit, u.item, u.attempt
    LOOP
        RETURN QUERY SELECT a.*, t.priority, t.created_at FROM nexum_claim_tail_v1(t, p_session, v_now) a;
    END LOOP;
END
$$;
"""  # noqa: S608

ONE = f"""
CREATE FUNCTION nexum_claim_one_v1(
    p_session text, p_run text, p_path text, p_visit bigint, p_item bigint, p_attempt bigint, p_fixed bigint)
RETURNS TABLE ({_ANSWER})
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now bigint := nexum_clock_v1(p_fixed);
    t nexum_tasks%ROWTYPE;
BEGIN
    UPDATE nexum_tasks x
       SET state = 'CLAIMED', session = p_session, token = x.token + 1, deliveries = x.deliveries + 1, claimed_at = v_now
     WHERE x.run_id = p_run AND x.path = p_path AND x.visit = p_visit AND x.item = p_item AND x.attempt = p_attempt
       AND x.state = 'READY' AND x.not_before <= v_now
    RETURNING x.* INTO t;
    IF FOUND THEN
        RETURN QUERY SELECT * FROM nexum_claim_tail_v1(t, p_session, v_now);
    END IF;
END
$$;
"""  # noqa: S608

CREATE = EFFECT + TAIL + CLAIM + ONE
DROP = """
DROP FUNCTION nexum_claim_one_v1;
DROP FUNCTION nexum_claim_v1;
DROP FUNCTION nexum_claim_tail_v1;
DROP FUNCTION nexum_claim_effect_v1;
"""
