-- The application's role, which can add to the books and cannot rewrite them. Run at every upgrade, for a role belongs to the whole
-- server, and a restored database may have lost its grants. Where this user may not make a role, the application goes on as whoever
-- it connects as.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_app') THEN
        CREATE ROLE bank_app LOGIN;
    END IF;
    -- Also for who made it: since PostgreSQL 16 that alone does not let one act in it.
    GRANT bank_app TO CURRENT_USER;
EXCEPTION
    WHEN insufficient_privilege OR invalid_grant_operation THEN RAISE NOTICE 'no role bank_app for this user';
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was first
END $$;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_app') THEN RETURN; END IF;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM bank_app', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO bank_app', current_schema());
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO bank_app', current_schema());
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO bank_app', current_schema());
    REVOKE ALL ON FUNCTION erase_address FROM PUBLIC; -- a restored database has lost this, too
    GRANT EXECUTE ON FUNCTION balance_at, feed_epoch, erase_address TO bank_app;
    GRANT INSERT ON balances, transactions, transaction_notes, users, sessions, refresh_tokens, accounts, idempotency_outcomes,
        cards, card_secrets, card_limits, card_blocks, card_transactions, vault_keys, statements, statement_months, payees,
        verified_payments, external_transactions, clearing_messages, totp_factors, recovery_codes,
        audit_seals, outgoing_mails, email_codes, passkeys,
        answered_challenges, approvals, scheduled_transfers, scheduled_runs,
        oauth_clients, oauth_consents, oauth_codes, oauth_refresh_tokens, memberships, access_grants, grant_tokens, granted_accounts, payment_requests, delegated_payments, due_postings, products, product_terms, account_products, interest_accruals, interest_postings, accrual_days, closed_months
        TO bank_app;
    GRANT INSERT (transaction_id, account_id, amount, balance_after, booked_at) ON entries TO bank_app;
    GRANT INSERT (kind, account_id, transaction_id, occurred_at, epoch) ON transaction_events TO bank_app;
    GRANT INSERT (cluster, began_at) ON feed_epochs TO bank_app;
    GRANT INSERT, UPDATE ON feed_start, bank_time TO bank_app;
    GRANT INSERT (at, actor_id, action, subject_id, outcome, ip_address, request_id, detail) ON audit_events TO bank_app;
    GRANT INSERT (checked_at, checks) ON verification_runs TO bank_app;
    GRANT INSERT (finished_at, kind, size) ON backups TO bank_app;
    GRANT UPDATE (booked, held, overdraft_limit, updated_at) ON balances TO bank_app;
    GRANT UPDATE (status, captured, posted_at) ON transactions TO bank_app;
    GRANT UPDATE (password_hash, full_name, phone_number, role, status, closed_at, suspension_reason, email_verified_at,
        updated_at) ON users
        TO bank_app;
    GRANT UPDATE (sealed_secret, created_at, confirmed_at, last_step) ON totp_factors TO bank_app;
    GRANT UPDATE (attempts, due_at) ON outgoing_mails TO bank_app;
    GRANT UPDATE (code_hash, guesses, created_at, expires_at) ON email_codes TO bank_app;
    GRANT UPDATE (status, decided_by, decided_at, refusal, is_finished) ON approvals TO bank_app;
    GRANT UPDATE (amount, description, recurrence, starts_on, status, planned_for, due_at, version, claimed_until, updated_at, hidden_at)
        ON scheduled_transfers TO bank_app;
    GRANT UPDATE (ran_at, status, attempts, transaction_id, refusal) ON scheduled_runs TO bank_app;
    GRANT UPDATE (transaction_id) ON due_postings TO bank_app;
    GRANT UPDATE (last_day, amount) ON interest_accruals TO bank_app;
    GRANT UPDATE (sign_count, is_synced, last_used_at) ON passkeys TO bank_app;
    GRANT UPDATE (used_at) ON recovery_codes TO bank_app;
    GRANT UPDATE (last_used_at, verified_at, expires_at, ended_at, user_agent, ip_address) ON sessions TO bank_app;
    GRANT UPDATE (used_at, reply) ON refresh_tokens TO bank_app;
    GRANT UPDATE (name, status, frozen_by, freeze_reason, updated_at, closed_at) ON accounts TO bank_app;
    GRANT UPDATE (status, frozen_by, holder_name, updated_at) ON cards TO bank_app;
    GRANT UPDATE (name, removed_at) ON payees TO bank_app;
    GRANT UPDATE (user_id, may_pay, daily_limit, may_manage_cards, status, email, email_key, accepted_at, ended_at)
        ON memberships TO bank_app;
    GRANT UPDATE (name, payees, revoked_at, last_used_at) ON access_grants TO bank_app;
    GRANT UPDATE (expires_at) ON grant_tokens TO bank_app;
    GRANT UPDATE (used_at) ON oauth_codes, oauth_refresh_tokens TO bank_app;
    GRANT UPDATE (disabled_at) ON oauth_clients TO bank_app;
    GRANT DELETE ON oauth_consents, oauth_codes, oauth_refresh_tokens TO bank_app;
    GRANT UPDATE (status, decided_by, decided_at, transaction_id, description, to_name, end_to_end_id, reason) ON payment_requests TO bank_app;
    GRANT UPDATE (clears_at, return_reason, message_id) ON external_transactions TO bank_app;
    GRANT UPDATE (name) ON verified_payments TO bank_app;
    GRANT UPDATE (written_at) ON clearing_messages TO bank_app;
    GRANT UPDATE (counted) ON card_transactions TO bank_app;
    GRANT UPDATE (wrapped_key, master_key) ON card_secrets, vault_keys TO bank_app;
    GRANT DELETE ON transaction_notes, memberships, grant_tokens, granted_accounts, payees, scheduled_transfers, scheduled_runs TO bank_app;
    GRANT DELETE ON idempotency_outcomes, transaction_events, card_limits, card_blocks TO bank_app;
    GRANT DELETE ON totp_factors, recovery_codes, attempt_buckets, outgoing_mails, email_codes, passkeys,
        answered_challenges TO bank_app;
    GRANT INSERT, UPDATE ON attempt_buckets TO bank_app;
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'no grants for bank_app by this user';
END $$;

-- For metrics: how far standbys are behind, and how old the oldest transaction is. Without it these are missing.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_app') THEN
        GRANT pg_read_all_stats TO bank_app;
    END IF;
EXCEPTION
    WHEN insufficient_privilege OR invalid_grant_operation THEN RAISE NOTICE 'bank_app cannot read statistics';
END $$;

-- Nobody else may make functions or operators where those of the books look for theirs. Without it: as the schema's owner says.
DO $$ BEGIN
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'the schema is not owned by this user';
END $$;
