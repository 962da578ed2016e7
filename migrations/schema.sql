CREATE FUNCTION public.balance_at(account uuid, moment timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    entry entries;
    balance bigint := 0;
    lowest bigint := 1;
    highest bigint := 9223372036854775807;
    middle bigint;
BEGIN
    SELECT * INTO entry FROM entries WHERE (account_id, id) <= (account, highest)
        ORDER BY account_id DESC, id DESC LIMIT 1;
    IF entry.account_id IS DISTINCT FROM account THEN
        RETURN 0;
    ELSIF entry.booked_at <= moment THEN
        RETURN entry.balance_after;
    END IF;
    -- The last entry is too late, so there is always one to be found.
    highest := entry.id - 1;
    WHILE lowest <= highest LOOP
        middle := lowest + (highest - lowest) / 2;
        SELECT * INTO entry FROM entries WHERE (account_id, id) >= (account, middle) ORDER BY account_id, id LIMIT 1;
        IF entry.booked_at <= moment THEN
            balance := entry.balance_after;
            lowest := entry.id + 1;
        ELSE
            highest := middle - 1;
        END IF;
    END LOOP;
    RETURN balance;
END $$;
CREATE FUNCTION public.check_standing() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF OLD.status IS DISTINCT FROM 'PENDING'
        OR (NEW.id, NEW.kind, NEW.amount, NEW.currency, NEW.from_account_id, NEW.to_account_id, NEW.parent_id,
            NEW.reverses_id, NEW.created_at, NEW.expires_at)
        IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.amount, OLD.currency, OLD.from_account_id, OLD.to_account_id, OLD.parent_id,
            OLD.reverses_id, OLD.created_at, OLD.expires_at)
        OR NEW.captured < OLD.captured
    THEN
        RAISE EXCEPTION 'UPDATE of transactions refused: the books are corrected by new transactions'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.check_zero_sum() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT transaction_id, amount, (SELECT currency FROM balances b WHERE b.account_id = i.account_id) AS currency
            FROM inserted i
        ) entry
        GROUP BY transaction_id, currency HAVING sum(amount) IS DISTINCT FROM 0
    ) THEN
        RAISE EXCEPTION 'the entries of a transaction do not sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM inserted i
        WHERE (
            SELECT id FROM transactions t
            WHERE t.id = i.transaction_id AND i.account_id IN (t.from_account_id, t.to_account_id)
        ) IS NULL
    ) THEN
        RAISE EXCEPTION 'an entry is on neither account of its transaction' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.erase_address(erased uuid, at timestamp with time zone) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
        UPDATE users
        SET email = translate(erased::text, '-', '') || '@erased.invalid', email_verified_at = NULL, erased_at = at,
            email_key = translate(erased::text, '-', '') || '@erased.invalid'
        WHERE id = erased AND status = 'CLOSED' AND erased_at IS NULL
        RETURNING id
    $$;
CREATE TABLE public.feed_epochs (
    epoch integer NOT NULL,
    cluster text NOT NULL,
    began_at timestamp with time zone NOT NULL
);
CREATE FUNCTION public.feed_epoch() RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO 'public', 'pg_temp'
    RETURN COALESCE((SELECT max(feed_epochs.epoch) AS max FROM public.feed_epochs), 0);
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: the books are corrected by new transactions', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TABLE public.access_grants (
    id uuid NOT NULL,
    kind text NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    payees text[],
    currency text,
    daily_limit bigint,
    approval_above bigint,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT ck_access_grants_kind_is_known CHECK ((kind = ANY (ARRAY['AGENT'::text, 'API_KEY'::text, 'CONSENT'::text]))),
    CONSTRAINT ck_access_grants_limit_has_a_currency CHECK (((daily_limit IS NULL) = (currency IS NULL))),
    CONSTRAINT ck_access_grants_limits_are_not_negative CHECK (((daily_limit >= 0) AND (approval_above >= 0)))
);
CREATE TABLE public.account_products (
    account_id uuid NOT NULL,
    since date NOT NULL,
    product_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.account_serials
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.accounts (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    number text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    frozen_by text,
    freeze_reason text,
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT ck_accounts_closed_at_is_told CHECK (((status = 'CLOSED'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT ck_accounts_freeze_reason_has_its_time CHECK (((freeze_reason IS NULL) OR (status = 'FROZEN'::text))),
    CONSTRAINT ck_accounts_frozen_by_is_known CHECK ((frozen_by = ANY (ARRAY['OWNER'::text, 'STAFF'::text]))),
    CONSTRAINT ck_accounts_frozen_by_is_told CHECK (((status = 'FROZEN'::text) = (frozen_by IS NOT NULL))),
    CONSTRAINT ck_accounts_kind_is_known CHECK ((kind = ANY (ARRAY['CHECKING'::text, 'SAVINGS'::text, 'CREDIT'::text]))),
    CONSTRAINT ck_accounts_status_is_known CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'FROZEN'::text, 'CLOSED'::text])))
);
CREATE TABLE public.accrual_days (
    day date NOT NULL,
    completed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
COMMENT ON TABLE public.alembic_version IS 'Versions of the bank from schema 0033 on run with this schema.';
CREATE TABLE public.answered_challenges (
    id bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.approvals (
    id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    subject_id uuid NOT NULL,
    role text,
    amount bigint,
    currency text,
    reason text,
    request_key text,
    hold_id uuid,
    proposed_by uuid NOT NULL,
    decided_by uuid,
    refusal text,
    is_finished boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    CONSTRAINT ck_approvals_kind_is_known CHECK ((kind = ANY (ARRAY['SET_USER_ROLE'::text, 'SET_OVERDRAFT_LIMIT'::text, 'REVERSE_TRANSACTION'::text]))),
    CONSTRAINT ck_approvals_status_is_known CHECK ((status = ANY (ARRAY['PENDING'::text, 'APPROVED'::text, 'EXECUTED'::text, 'FAILED'::text, 'REJECTED'::text, 'EXPIRED'::text])))
);
CREATE UNLOGGED TABLE public.attempt_buckets (
    name_hash bytea NOT NULL,
    level double precision NOT NULL,
    is_allowed boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.audit_events (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    subject_id uuid,
    outcome text NOT NULL,
    ip_address text,
    request_id text,
    detail text
);
ALTER TABLE public.audit_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.audit_seals (
    last_sequence bigint NOT NULL,
    last_event_id bigint NOT NULL,
    head bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.audit_seals_last_sequence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_seals_last_sequence_seq OWNED BY public.audit_seals.last_sequence;
CREATE TABLE public.backups (
    id bigint NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    size bigint NOT NULL
);
ALTER TABLE public.backups ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.backups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.balances (
    account_id uuid NOT NULL,
    currency text NOT NULL,
    purpose text,
    booked bigint NOT NULL,
    held bigint NOT NULL,
    overdraft_limit bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_balances_available_is_not_negative CHECK (((purpose IS NOT NULL) OR (((booked - held) + overdraft_limit) >= 0))),
    CONSTRAINT ck_balances_held_is_not_negative CHECK ((held >= 0)),
    CONSTRAINT ck_balances_overdraft_limit_is_not_negative CHECK ((overdraft_limit >= 0)),
    CONSTRAINT ck_balances_purpose_is_known CHECK ((purpose = ANY (ARRAY['CASH'::text, 'CARD_SETTLEMENT'::text, 'CLEARING'::text, 'SUSPENSE'::text, 'FEES'::text, 'INTEREST'::text])))
);
CREATE TABLE public.bank_time (
    id bigint NOT NULL,
    moved_to timestamp with time zone NOT NULL,
    CONSTRAINT ck_bank_time_there_is_one_row CHECK ((id = 1))
);
CREATE TABLE public.card_blocks (
    card_id uuid NOT NULL,
    category text NOT NULL,
    CONSTRAINT ck_card_blocks_category_is_four_digits CHECK ((category ~ '^[0-9]{4}$'::text))
);
CREATE TABLE public.card_limits (
    card_id uuid NOT NULL,
    time_window text NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT ck_card_limits_amount_is_not_negative CHECK ((amount >= 0)),
    CONSTRAINT ck_card_limits_time_window_is_known CHECK ((time_window = ANY (ARRAY['TRANSACTION'::text, 'DAY'::text, 'WEEK'::text, 'MONTH'::text])))
);
CREATE TABLE public.card_secrets (
    card_id uuid NOT NULL,
    number_hash bytea NOT NULL,
    sealed_number bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    master_key text NOT NULL
);
CREATE TABLE public.card_transactions (
    transaction_id uuid NOT NULL,
    card_id uuid NOT NULL,
    series_id uuid NOT NULL,
    authorized_at timestamp with time zone NOT NULL,
    counted bigint NOT NULL,
    merchant_name text NOT NULL,
    merchant_category text NOT NULL,
    merchant_country text NOT NULL,
    decline_reason text,
    CONSTRAINT ck_card_transactions_counted_is_not_negative CHECK ((counted >= 0))
);
CREATE TABLE public.cards (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    series_id uuid NOT NULL,
    replaces_id uuid,
    kind text NOT NULL,
    form text NOT NULL,
    status text NOT NULL,
    frozen_by text,
    holder_name text NOT NULL,
    last4 text NOT NULL,
    expiry_month integer NOT NULL,
    expiry_year integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_cards_form_is_known CHECK ((form = ANY (ARRAY['VIRTUAL'::text, 'PHYSICAL'::text]))),
    CONSTRAINT ck_cards_frozen_by_has_its_time CHECK (((frozen_by IS NULL) OR (status <> ALL (ARRAY['INACTIVE'::text, 'ACTIVE'::text])))),
    CONSTRAINT ck_cards_frozen_by_is_known CHECK ((frozen_by = ANY (ARRAY['OWNER'::text, 'STAFF'::text]))),
    CONSTRAINT ck_cards_frozen_by_is_told CHECK (((status <> 'FROZEN'::text) OR (frozen_by IS NOT NULL))),
    CONSTRAINT ck_cards_kind_is_known CHECK ((kind = ANY (ARRAY['DEBIT'::text, 'CREDIT'::text]))),
    CONSTRAINT ck_cards_last4_are_digits CHECK ((last4 ~ '^[0-9]{4}$'::text)),
    CONSTRAINT ck_cards_status_is_known CHECK ((status = ANY (ARRAY['INACTIVE'::text, 'ACTIVE'::text, 'FROZEN'::text, 'CANCELLED'::text, 'EXPIRED'::text])))
);
CREATE TABLE public.clearing_messages (
    id uuid NOT NULL,
    currency text NOT NULL,
    settles_on date NOT NULL,
    created_at timestamp with time zone NOT NULL,
    written_at timestamp with time zone
);
CREATE TABLE public.closed_months (
    month date NOT NULL,
    completed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.delegated_payments (
    transaction_id uuid NOT NULL,
    delegate_id uuid NOT NULL,
    day date NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT ck_delegated_payments_amount_is_positive CHECK ((amount > 0))
);
CREATE TABLE public.due_postings (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    description text NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    transaction_id uuid,
    CONSTRAINT ck_due_postings_amount_is_not_zero CHECK ((amount <> 0)),
    CONSTRAINT ck_due_postings_kind_is_known CHECK ((kind = ANY (ARRAY['FEE'::text, 'INTEREST'::text])))
);
CREATE TABLE public.email_codes (
    name_hash bytea NOT NULL,
    code_hash bytea NOT NULL,
    guesses integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.entries (
    id bigint NOT NULL,
    transaction_id uuid NOT NULL,
    account_id uuid NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_entries_amount_is_not_zero CHECK ((amount <> 0))
);
ALTER TABLE public.entries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.external_transactions (
    transaction_id uuid NOT NULL,
    account_number text NOT NULL,
    name text NOT NULL,
    bank text NOT NULL,
    end_to_end_id text,
    settles_on date,
    clears_at timestamp with time zone,
    reference text,
    returned_id uuid,
    return_reason text,
    message_id uuid,
    CONSTRAINT ck_external_transactions_leaves_arrives_or_returns CHECK ((num_nonnulls(settles_on, reference, returned_id) = 1)),
    CONSTRAINT ck_external_transactions_only_what_leaves_is_cleared CHECK (((settles_on IS NOT NULL) OR ((clears_at IS NULL) AND (message_id IS NULL)))),
    CONSTRAINT ck_external_transactions_returns_have_a_reason CHECK (((returned_id IS NULL) OR (return_reason IS NOT NULL)))
);
ALTER TABLE public.feed_epochs ALTER COLUMN epoch ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.feed_epochs_epoch_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.feed_start (
    id integer NOT NULL,
    epoch integer NOT NULL,
    writer xid8 NOT NULL,
    sequence bigint NOT NULL,
    deleted_until timestamp with time zone NOT NULL,
    CONSTRAINT ck_feed_start_is_single CHECK ((id = 1))
);
CREATE TABLE public.grant_tokens (
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);
CREATE TABLE public.granted_accounts (
    grant_id uuid NOT NULL,
    account_id uuid NOT NULL
);
CREATE TABLE public.idempotency_outcomes (
    user_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    outcome text NOT NULL,
    subject_id uuid,
    refusal jsonb,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_idempotency_outcomes_key_has_a_length CHECK (((length(key) >= 1) AND (length(key) <= 255))),
    CONSTRAINT ck_idempotency_outcomes_outcome_is_known CHECK ((outcome = ANY (ARRAY['MOVED'::text, 'OPENED'::text, 'ISSUED'::text, 'REFUSED'::text]))),
    CONSTRAINT ck_idempotency_outcomes_refusal_is_told CHECK (((outcome = 'REFUSED'::text) = (refusal IS NOT NULL))),
    CONSTRAINT ck_idempotency_outcomes_subject_is_told CHECK (((outcome = 'REFUSED'::text) = (subject_id IS NULL)))
);
CREATE TABLE public.interest_accruals (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    balance bigint NOT NULL,
    product_id uuid NOT NULL,
    terms_since date NOT NULL,
    amount numeric(60,0) NOT NULL,
    CONSTRAINT ck_interest_accruals_amount_has_the_sign_of_the_balance CHECK (((amount <> (0)::numeric) AND ((amount > (0)::numeric) = (balance > 0)))),
    CONSTRAINT ck_interest_accruals_days_are_in_order CHECK ((first_day <= last_day))
);
CREATE TABLE public.interest_postings (
    account_id uuid NOT NULL,
    side text NOT NULL,
    last_day date NOT NULL,
    first_day date NOT NULL,
    carried numeric(60,0) NOT NULL,
    accrued numeric(60,0) NOT NULL,
    posted bigint NOT NULL,
    due_posting_id uuid,
    CONSTRAINT ck_interest_postings_is_in_range CHECK (((first_day <= last_day) AND (posted >= 0))),
    CONSTRAINT ck_interest_postings_side_is_known CHECK ((side = ANY (ARRAY['CREDIT'::text, 'DEBIT'::text])))
);
CREATE TABLE public.memberships (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    user_id uuid,
    role text NOT NULL,
    may_pay boolean NOT NULL,
    daily_limit bigint,
    may_manage_cards boolean NOT NULL,
    status text NOT NULL,
    email text,
    email_key text,
    invited_by uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT ck_memberships_acceptance_has_a_time CHECK (((status = 'INVITED'::text) = (accepted_at IS NULL))),
    CONSTRAINT ck_memberships_end_has_a_time CHECK (((status = 'ENDED'::text) = (ended_at IS NOT NULL))),
    CONSTRAINT ck_memberships_limit_is_of_payments CHECK (((daily_limit >= 0) AND (may_pay OR (daily_limit IS NULL)))),
    CONSTRAINT ck_memberships_member_is_known CHECK (((status = 'INVITED'::text) = (user_id IS NULL))),
    CONSTRAINT ck_memberships_owners_may_all CHECK (((role = 'MEMBER'::text) OR (may_pay AND may_manage_cards AND (daily_limit IS NULL)))),
    CONSTRAINT ck_memberships_role_is_known CHECK ((role = ANY (ARRAY['OWNER'::text, 'MEMBER'::text]))),
    CONSTRAINT ck_memberships_status_is_known CHECK ((status = ANY (ARRAY['INVITED'::text, 'ACTIVE'::text, 'ENDED'::text])))
);
CREATE TABLE public.oauth_clients (
    id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea,
    redirect_uris text[] NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone
);
CREATE TABLE public.oauth_codes (
    code_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    client_id uuid NOT NULL,
    redirect_uri text NOT NULL,
    challenge text NOT NULL,
    nonce text,
    key_thumbprint text,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.oauth_consents (
    grant_id uuid NOT NULL,
    client_id uuid NOT NULL,
    user_id uuid NOT NULL
);
CREATE TABLE public.oauth_refresh_tokens (
    token_hash bytea NOT NULL,
    grant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    client_id uuid NOT NULL,
    key_thumbprint text,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.outgoing_mails (
    id uuid NOT NULL,
    sealed bytea NOT NULL,
    is_discarded boolean NOT NULL,
    attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL
);
CREATE TABLE public.passkeys (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    is_synced boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone
);
CREATE TABLE public.payees (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    name text NOT NULL,
    account_number text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone
);
CREATE TABLE public.payment_requests (
    id uuid NOT NULL,
    grant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    account_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    to_account_id uuid,
    to_number text,
    to_name text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    description text,
    end_to_end_id text,
    reason text NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_by uuid,
    decided_at timestamp with time zone,
    transaction_id uuid,
    CONSTRAINT ck_payment_requests_decision_has_a_time CHECK (((status = 'PENDING'::text) = (decided_at IS NULL))),
    CONSTRAINT ck_payment_requests_payment_is_known CHECK (((status = 'APPROVED'::text) = (transaction_id IS NOT NULL))),
    CONSTRAINT ck_payment_requests_status_is_known CHECK ((status = ANY (ARRAY['PENDING'::text, 'APPROVED'::text, 'REJECTED'::text]))),
    CONSTRAINT ck_payment_requests_there_is_one_payee CHECK (((to_account_id IS NULL) <> (to_number IS NULL)))
);
CREATE TABLE public.product_terms (
    product_id uuid NOT NULL,
    since date NOT NULL,
    credit_tiers jsonb NOT NULL,
    debit_tiers jsonb NOT NULL,
    monthly_fee bigint NOT NULL,
    waived_above bigint,
    external_transfer_fee bigint NOT NULL,
    card_replacement_fee bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_product_terms_fees_are_not_negative CHECK (((monthly_fee >= 0) AND (external_transfer_fee >= 0) AND (card_replacement_fee >= 0)))
);
CREATE TABLE public.products (
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    day_count text NOT NULL,
    default_from date,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_products_day_count_is_known CHECK ((day_count = ANY (ARRAY['ACT_365F'::text, 'ACT_360'::text, 'THIRTY_E_360'::text]))),
    CONSTRAINT ck_products_kind_is_known CHECK ((kind = ANY (ARRAY['CHECKING'::text, 'SAVINGS'::text, 'CREDIT'::text])))
);
CREATE TABLE public.recovery_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.refresh_tokens (
    token_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    reply bytea
);
CREATE TABLE public.scheduled_runs (
    id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    planned_for date NOT NULL,
    ran_at timestamp with time zone NOT NULL,
    status text NOT NULL,
    attempts bigint NOT NULL,
    transaction_id uuid,
    refusal text,
    CONSTRAINT ck_scheduled_runs_status_is_known CHECK ((status = ANY (ARRAY['MOVED'::text, 'RETRYING'::text, 'REFUSED'::text, 'SKIPPED'::text])))
);
CREATE TABLE public.scheduled_transfers (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    from_account_id uuid NOT NULL,
    to_account_id uuid,
    payee_id uuid,
    to_number text NOT NULL,
    to_name text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    description text,
    recurrence text NOT NULL,
    day_rule text NOT NULL,
    missed_runs text NOT NULL,
    sweep text,
    starts_on date NOT NULL,
    status text NOT NULL,
    planned_for date,
    due_at timestamp with time zone,
    version bigint NOT NULL,
    claimed_until timestamp with time zone,
    request_key text NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    hidden_at timestamp with time zone,
    CONSTRAINT ck_scheduled_transfers_day_rule_is_known CHECK ((day_rule = ANY (ARRAY['AS_IS'::text, 'NEXT'::text, 'PREVIOUS'::text]))),
    CONSTRAINT ck_scheduled_transfers_missed_runs_is_known CHECK ((missed_runs = ANY (ARRAY['ALL'::text, 'LAST'::text]))),
    CONSTRAINT ck_scheduled_transfers_status_is_known CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'PAUSED'::text, 'COMPLETED'::text, 'CANCELLED'::text]))),
    CONSTRAINT ck_scheduled_transfers_sweep_is_known CHECK ((sweep = ANY (ARRAY['ABOVE'::text, 'UP_TO'::text])))
);
CREATE TABLE public.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    user_agent text,
    ip_address text,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    verified_at timestamp with time zone
);
CREATE TABLE public.statement_months (
    month date NOT NULL,
    completed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.statements (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    number bigint NOT NULL,
    month date NOT NULL,
    from_date date NOT NULL,
    to_date date NOT NULL,
    after_entry_id bigint NOT NULL,
    last_entry_id bigint NOT NULL,
    opening_balance bigint NOT NULL,
    closing_balance bigint NOT NULL,
    total_credits numeric(40,0) NOT NULL,
    total_debits numeric(40,0) NOT NULL,
    entry_count bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    layout bigint NOT NULL,
    bank_name text NOT NULL,
    bic text NOT NULL,
    holder_name text NOT NULL,
    account_name text NOT NULL,
    time_zone text NOT NULL,
    counterparties jsonb NOT NULL,
    CONSTRAINT ck_statements_adds_up CHECK (((((opening_balance)::numeric + total_credits) - total_debits) = (closing_balance)::numeric)),
    CONSTRAINT ck_statements_number_is_positive CHECK ((number > 0)),
    CONSTRAINT ck_statements_period_is_a_period CHECK (((from_date <= to_date) AND (month <= to_date))),
    CONSTRAINT ck_statements_sums_are_not_negative CHECK (((total_credits >= (0)::numeric) AND (total_debits >= (0)::numeric) AND (entry_count >= 0)))
);
CREATE TABLE public.totp_factors (
    user_id uuid NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    last_step bigint NOT NULL
);
CREATE TABLE public.transaction_events (
    sequence bigint NOT NULL,
    writer xid8 DEFAULT pg_current_xact_id() NOT NULL,
    kind text NOT NULL,
    account_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    epoch integer DEFAULT public.feed_epoch() NOT NULL,
    CONSTRAINT ck_transaction_events_kind_is_known CHECK ((kind = ANY (ARRAY['PENDING'::text, 'POSTED'::text, 'CAPTURED'::text, 'VOIDED'::text, 'EXPIRED'::text, 'REVERSED'::text, 'DECLINED'::text])))
);
ALTER TABLE public.transaction_events ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.transaction_events_sequence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.transaction_notes (
    transaction_id uuid NOT NULL,
    description text NOT NULL
);
CREATE TABLE public.transactions (
    id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    from_account_id uuid NOT NULL,
    to_account_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    posted_at timestamp with time zone,
    captured bigint NOT NULL,
    parent_id uuid,
    reverses_id uuid,
    expires_at timestamp with time zone,
    CONSTRAINT ck_transactions_accounts_differ CHECK ((from_account_id <> to_account_id)),
    CONSTRAINT ck_transactions_amount_is_in_range CHECK (((amount > 0) AND (amount <= '1000000000000000'::bigint))),
    CONSTRAINT ck_transactions_captured_is_of_a_hold CHECK (((captured >= 0) AND ((kind = 'HOLD'::text) OR (captured = 0)))),
    CONSTRAINT ck_transactions_card_payments_are_authorized CHECK (((kind <> ALL (ARRAY['CARD_PAYMENT'::text, 'CARD_REFUND'::text])) OR (parent_id IS NOT NULL))),
    CONSTRAINT ck_transactions_kind_is_known CHECK ((kind = ANY (ARRAY['DEPOSIT'::text, 'WITHDRAWAL'::text, 'TRANSFER'::text, 'HOLD'::text, 'CARD_PAYMENT'::text, 'CARD_REFUND'::text, 'FEE'::text, 'INTEREST'::text, 'REVERSAL'::text]))),
    CONSTRAINT ck_transactions_only_holds_and_transfers_wait CHECK (((kind = 'HOLD'::text) OR (status = 'POSTED'::text) OR ((kind = 'TRANSFER'::text) AND (status = ANY (ARRAY['PENDING'::text, 'VOIDED'::text, 'DECLINED'::text]))))),
    CONSTRAINT ck_transactions_only_holds_expire CHECK (((expires_at IS NULL) OR (kind = 'HOLD'::text))),
    CONSTRAINT ck_transactions_posted_at_is_told CHECK (((status = 'POSTED'::text) = (posted_at IS NOT NULL))),
    CONSTRAINT ck_transactions_reversals_reverse CHECK (((kind = 'REVERSAL'::text) = (reverses_id IS NOT NULL))),
    CONSTRAINT ck_transactions_status_is_known CHECK ((status = ANY (ARRAY['PENDING'::text, 'POSTED'::text, 'VOIDED'::text, 'EXPIRED'::text, 'DECLINED'::text])))
);
CREATE TABLE public.users (
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    password_hash text NOT NULL,
    full_name text NOT NULL,
    phone_number text,
    role text NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    suspension_reason text,
    email_verified_at timestamp with time zone,
    erased_at timestamp with time zone,
    CONSTRAINT ck_users_role_is_known CHECK ((role = ANY (ARRAY['CUSTOMER'::text, 'TELLER'::text, 'AUDITOR'::text, 'PROCESSOR'::text, 'ADMIN'::text]))),
    CONSTRAINT ck_users_status_is_known CHECK ((status = ANY (ARRAY['ACTIVE'::text, 'SUSPENDED'::text, 'CLOSED'::text])))
);
CREATE TABLE public.vault_keys (
    purpose text NOT NULL,
    wrapped_key bytea NOT NULL,
    master_key text NOT NULL
);
CREATE TABLE public.verification_runs (
    id bigint NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    checks jsonb NOT NULL
);
ALTER TABLE public.verification_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.verification_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.verified_payments (
    transaction_id uuid NOT NULL,
    match text NOT NULL,
    name text NOT NULL,
    CONSTRAINT ck_verified_payments_match_is_known CHECK ((match = ANY (ARRAY['MATCH'::text, 'CLOSE_MATCH'::text, 'NO_MATCH'::text, 'NOT_POSSIBLE'::text])))
);
ALTER TABLE ONLY public.audit_seals ALTER COLUMN last_sequence SET DEFAULT nextval('public.audit_seals_last_sequence_seq'::regclass);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT pk_access_grants PRIMARY KEY (id);
ALTER TABLE ONLY public.account_products
    ADD CONSTRAINT pk_account_products PRIMARY KEY (account_id, since);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT pk_accounts PRIMARY KEY (id);
ALTER TABLE ONLY public.accrual_days
    ADD CONSTRAINT pk_accrual_days PRIMARY KEY (day);
ALTER TABLE ONLY public.answered_challenges
    ADD CONSTRAINT pk_answered_challenges PRIMARY KEY (id);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT pk_approvals PRIMARY KEY (id);
ALTER TABLE ONLY public.attempt_buckets
    ADD CONSTRAINT pk_attempt_buckets PRIMARY KEY (name_hash);
ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT pk_audit_events PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT pk_audit_seals PRIMARY KEY (last_sequence);
ALTER TABLE ONLY public.backups
    ADD CONSTRAINT pk_backups PRIMARY KEY (id);
ALTER TABLE ONLY public.balances
    ADD CONSTRAINT pk_balances PRIMARY KEY (account_id);
ALTER TABLE ONLY public.bank_time
    ADD CONSTRAINT pk_bank_time PRIMARY KEY (id);
ALTER TABLE ONLY public.card_blocks
    ADD CONSTRAINT pk_card_blocks PRIMARY KEY (card_id, category);
ALTER TABLE ONLY public.card_limits
    ADD CONSTRAINT pk_card_limits PRIMARY KEY (card_id, time_window);
ALTER TABLE ONLY public.card_secrets
    ADD CONSTRAINT pk_card_secrets PRIMARY KEY (card_id);
ALTER TABLE ONLY public.card_transactions
    ADD CONSTRAINT pk_card_transactions PRIMARY KEY (transaction_id);
ALTER TABLE ONLY public.cards
    ADD CONSTRAINT pk_cards PRIMARY KEY (id);
ALTER TABLE ONLY public.clearing_messages
    ADD CONSTRAINT pk_clearing_messages PRIMARY KEY (id);
ALTER TABLE ONLY public.closed_months
    ADD CONSTRAINT pk_closed_months PRIMARY KEY (month);
ALTER TABLE ONLY public.delegated_payments
    ADD CONSTRAINT pk_delegated_payments PRIMARY KEY (transaction_id);
ALTER TABLE ONLY public.due_postings
    ADD CONSTRAINT pk_due_postings PRIMARY KEY (id);
ALTER TABLE ONLY public.email_codes
    ADD CONSTRAINT pk_email_codes PRIMARY KEY (name_hash);
ALTER TABLE ONLY public.entries
    ADD CONSTRAINT pk_entries PRIMARY KEY (id);
ALTER TABLE ONLY public.external_transactions
    ADD CONSTRAINT pk_external_transactions PRIMARY KEY (transaction_id);
ALTER TABLE ONLY public.feed_epochs
    ADD CONSTRAINT pk_feed_epochs PRIMARY KEY (epoch);
ALTER TABLE ONLY public.feed_start
    ADD CONSTRAINT pk_feed_start PRIMARY KEY (id);
ALTER TABLE ONLY public.grant_tokens
    ADD CONSTRAINT pk_grant_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.granted_accounts
    ADD CONSTRAINT pk_granted_accounts PRIMARY KEY (grant_id, account_id);
ALTER TABLE ONLY public.idempotency_outcomes
    ADD CONSTRAINT pk_idempotency_outcomes PRIMARY KEY (user_id, key);
ALTER TABLE ONLY public.interest_accruals
    ADD CONSTRAINT pk_interest_accruals PRIMARY KEY (id);
ALTER TABLE ONLY public.interest_postings
    ADD CONSTRAINT pk_interest_postings PRIMARY KEY (account_id, side, last_day);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT pk_memberships PRIMARY KEY (id);
ALTER TABLE ONLY public.oauth_clients
    ADD CONSTRAINT pk_oauth_clients PRIMARY KEY (id);
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT pk_oauth_codes PRIMARY KEY (code_hash);
ALTER TABLE ONLY public.oauth_consents
    ADD CONSTRAINT pk_oauth_consents PRIMARY KEY (grant_id);
ALTER TABLE ONLY public.oauth_refresh_tokens
    ADD CONSTRAINT pk_oauth_refresh_tokens PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.outgoing_mails
    ADD CONSTRAINT pk_outgoing_mails PRIMARY KEY (id);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT pk_passkeys PRIMARY KEY (id);
ALTER TABLE ONLY public.payees
    ADD CONSTRAINT pk_payees PRIMARY KEY (id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT pk_payment_requests PRIMARY KEY (id);
ALTER TABLE ONLY public.product_terms
    ADD CONSTRAINT pk_product_terms PRIMARY KEY (product_id, since);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT pk_products PRIMARY KEY (id);
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT pk_refresh_tokens PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.scheduled_runs
    ADD CONSTRAINT pk_scheduled_runs PRIMARY KEY (id);
ALTER TABLE ONLY public.scheduled_transfers
    ADD CONSTRAINT pk_scheduled_transfers PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT pk_sessions PRIMARY KEY (id);
ALTER TABLE ONLY public.statement_months
    ADD CONSTRAINT pk_statement_months PRIMARY KEY (month);
ALTER TABLE ONLY public.statements
    ADD CONSTRAINT pk_statements PRIMARY KEY (id);
ALTER TABLE ONLY public.totp_factors
    ADD CONSTRAINT pk_totp_factors PRIMARY KEY (user_id);
ALTER TABLE ONLY public.transaction_events
    ADD CONSTRAINT pk_transaction_events PRIMARY KEY (epoch, writer, sequence);
ALTER TABLE ONLY public.transaction_notes
    ADD CONSTRAINT pk_transaction_notes PRIMARY KEY (transaction_id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT pk_transactions PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT pk_vault_keys PRIMARY KEY (purpose);
ALTER TABLE ONLY public.verification_runs
    ADD CONSTRAINT pk_verification_runs PRIMARY KEY (id);
ALTER TABLE ONLY public.verified_payments
    ADD CONSTRAINT pk_verified_payments PRIMARY KEY (transaction_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT uq_accounts_number UNIQUE (number);
ALTER TABLE ONLY public.balances
    ADD CONSTRAINT uq_balances_purpose_currency UNIQUE (purpose, currency);
ALTER TABLE ONLY public.card_secrets
    ADD CONSTRAINT uq_card_secrets_number_hash UNIQUE (number_hash);
ALTER TABLE ONLY public.due_postings
    ADD CONSTRAINT uq_due_postings_account_id_reason UNIQUE (account_id, reason);
ALTER TABLE ONLY public.grant_tokens
    ADD CONSTRAINT uq_grant_tokens_token_hash UNIQUE (token_hash);
ALTER TABLE ONLY public.interest_accruals
    ADD CONSTRAINT uq_interest_accruals_account_id_first_day UNIQUE (account_id, first_day);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT uq_products_kind_currency_default_from UNIQUE (kind, currency, default_from);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT uq_products_kind_currency_name UNIQUE (kind, currency, name);
ALTER TABLE ONLY public.statements
    ADD CONSTRAINT uq_statements_account_id_month UNIQUE (account_id, month);
ALTER TABLE ONLY public.statements
    ADD CONSTRAINT uq_statements_account_id_number UNIQUE (account_id, number);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_email_key UNIQUE (email_key);
CREATE INDEX ix_access_grants_user_id_id ON public.access_grants USING btree (user_id, id);
CREATE INDEX ix_accounts_owner_id_id ON public.accounts USING btree (owner_id, id);
CREATE INDEX ix_answered_challenges_expires_at ON public.answered_challenges USING btree (expires_at);
CREATE INDEX ix_approvals_pending ON public.approvals USING btree (expires_at) WHERE (status = 'PENDING'::text);
CREATE INDEX ix_approvals_subject_id ON public.approvals USING btree (subject_id);
CREATE INDEX ix_approvals_unfinished ON public.approvals USING btree (decided_at) WHERE ((NOT is_finished) AND (decided_at IS NOT NULL));
CREATE INDEX ix_attempt_buckets_updated_at ON public.attempt_buckets USING btree (updated_at);
CREATE INDEX ix_audit_events_actor_id_id ON public.audit_events USING btree (actor_id, id);
CREATE INDEX ix_card_transactions_card_id_transaction_id ON public.card_transactions USING btree (card_id, transaction_id);
CREATE INDEX ix_card_transactions_series_id_authorized_at ON public.card_transactions USING btree (series_id, authorized_at) INCLUDE (counted);
CREATE INDEX ix_cards_account_id_id ON public.cards USING btree (account_id, id);
CREATE INDEX ix_cards_expires_at ON public.cards USING btree (expires_at) WHERE (status = ANY (ARRAY['INACTIVE'::text, 'ACTIVE'::text, 'FROZEN'::text]));
CREATE INDEX ix_cards_series_id ON public.cards USING btree (series_id);
CREATE INDEX ix_clearing_messages_unwritten ON public.clearing_messages USING btree (id) WHERE (written_at IS NULL);
CREATE INDEX ix_delegated_payments_delegate_id_day ON public.delegated_payments USING btree (delegate_id, day) INCLUDE (amount);
CREATE INDEX ix_due_postings_account_id_id ON public.due_postings USING btree (account_id, id) WHERE (transaction_id IS NULL);
CREATE INDEX ix_email_codes_expires_at ON public.email_codes USING btree (expires_at);
CREATE INDEX ix_entries_account_id_id ON public.entries USING btree (account_id, id);
CREATE INDEX ix_entries_transaction_id ON public.entries USING btree (transaction_id);
CREATE INDEX ix_external_transactions_clears_at ON public.external_transactions USING btree (clears_at, transaction_id) WHERE (clears_at IS NOT NULL);
CREATE INDEX ix_external_transactions_message_id ON public.external_transactions USING btree (message_id) WHERE (message_id IS NOT NULL);
CREATE INDEX ix_external_transactions_unsent ON public.external_transactions USING btree (settles_on) WHERE ((message_id IS NULL) AND (return_reason IS NULL) AND (settles_on IS NOT NULL));
CREATE INDEX ix_grant_tokens_grant_id ON public.grant_tokens USING btree (grant_id);
CREATE INDEX ix_granted_accounts_account_id ON public.granted_accounts USING btree (account_id);
CREATE INDEX ix_idempotency_outcomes_created_at ON public.idempotency_outcomes USING btree (created_at);
CREATE INDEX ix_memberships_account_id_id ON public.memberships USING btree (account_id, id);
CREATE INDEX ix_memberships_user_id ON public.memberships USING btree (user_id);
CREATE INDEX ix_oauth_codes_expires_at ON public.oauth_codes USING btree (expires_at);
CREATE INDEX ix_oauth_consents_client_id ON public.oauth_consents USING btree (client_id);
CREATE INDEX ix_oauth_consents_user_id_client_id ON public.oauth_consents USING btree (user_id, client_id, grant_id);
CREATE INDEX ix_oauth_refresh_tokens_grant_id ON public.oauth_refresh_tokens USING btree (grant_id);
CREATE INDEX ix_outgoing_mails_due_at ON public.outgoing_mails USING btree (due_at);
CREATE INDEX ix_passkeys_user_id ON public.passkeys USING btree (user_id);
CREATE INDEX ix_payees_owner_id_id ON public.payees USING btree (owner_id, id);
CREATE INDEX ix_payment_requests_account_id_id ON public.payment_requests USING btree (account_id, id);
CREATE INDEX ix_payment_requests_grant_id ON public.payment_requests USING btree (grant_id);
CREATE INDEX ix_payment_requests_pending ON public.payment_requests USING btree (account_id, id) WHERE (status = 'PENDING'::text);
CREATE INDEX ix_payment_requests_user_id ON public.payment_requests USING btree (user_id);
CREATE INDEX ix_refresh_tokens_session_id ON public.refresh_tokens USING btree (session_id);
CREATE INDEX ix_scheduled_runs_schedule_id_id ON public.scheduled_runs USING btree (schedule_id, id);
CREATE INDEX ix_scheduled_transfers_due_at ON public.scheduled_transfers USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX ix_scheduled_transfers_from_account_id ON public.scheduled_transfers USING btree (from_account_id);
CREATE INDEX ix_scheduled_transfers_owner_id_id ON public.scheduled_transfers USING btree (owner_id, id);
CREATE INDEX ix_sessions_user_id_id ON public.sessions USING btree (user_id, id);
CREATE INDEX ix_statements_account_id_id ON public.statements USING btree (account_id, id);
CREATE INDEX ix_transaction_events_account_id_epoch_writer_sequence ON public.transaction_events USING btree (account_id, epoch, writer, sequence);
CREATE INDEX ix_transactions_expires_at ON public.transactions USING btree (expires_at) WHERE (status = 'PENDING'::text);
CREATE INDEX ix_transactions_from_account_id_id ON public.transactions USING btree (from_account_id, id);
CREATE INDEX ix_transactions_parent_id ON public.transactions USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX ix_transactions_to_account_id_id ON public.transactions USING btree (to_account_id, id);
CREATE INDEX ix_users_active_admins ON public.users USING btree (id) WHERE ((role = 'ADMIN'::text) AND (status = 'ACTIVE'::text));
CREATE INDEX ix_users_staff ON public.users USING btree (role) WHERE ((role <> 'CUSTOMER'::text) AND (status <> 'CLOSED'::text));
CREATE INDEX ix_users_words ON public.users USING gin (to_tsvector('simple'::regconfig, translate(((full_name || ' '::text) || email), '@._+-'::text, '     '::text)));
CREATE UNIQUE INDEX uq_approvals_pending ON public.approvals USING btree (subject_id, kind) WHERE (status = 'PENDING'::text);
CREATE UNIQUE INDEX uq_approvals_request_key ON public.approvals USING btree (proposed_by, request_key);
CREATE UNIQUE INDEX uq_cards_replaces_id ON public.cards USING btree (replaces_id) WHERE (replaces_id IS NOT NULL);
CREATE UNIQUE INDEX uq_due_postings_transaction_id ON public.due_postings USING btree (transaction_id);
CREATE UNIQUE INDEX uq_external_transactions_reference ON public.external_transactions USING btree (reference, bank) WHERE (reference IS NOT NULL);
CREATE UNIQUE INDEX uq_external_transactions_returned_id ON public.external_transactions USING btree (returned_id) WHERE (returned_id IS NOT NULL);
CREATE UNIQUE INDEX uq_interest_postings_due_posting_id ON public.interest_postings USING btree (due_posting_id);
CREATE UNIQUE INDEX uq_memberships_active ON public.memberships USING btree (user_id, account_id) WHERE (status = 'ACTIVE'::text);
CREATE UNIQUE INDEX uq_memberships_invited ON public.memberships USING btree (email_key, account_id) WHERE (status = 'INVITED'::text);
CREATE UNIQUE INDEX uq_payees_owner_id_account_number ON public.payees USING btree (owner_id, account_number) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX uq_scheduled_runs_schedule_id_planned_for ON public.scheduled_runs USING btree (schedule_id, planned_for);
CREATE UNIQUE INDEX uq_scheduled_transfers_request_key ON public.scheduled_transfers USING btree (owner_id, request_key);
CREATE UNIQUE INDEX uq_transactions_reverses_id ON public.transactions USING btree (reverses_id) WHERE (reverses_id IS NOT NULL);
CREATE TRIGGER changes_while_pending BEFORE UPDATE ON public.transactions FOR EACH ROW EXECUTE FUNCTION public.check_standing();
CREATE TRIGGER is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_seals FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.statements FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.balances FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.card_secrets FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.card_transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.cards FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.clearing_messages FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.external_transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_not_rewritten BEFORE UPDATE OR TRUNCATE ON public.idempotency_outcomes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER is_not_rewritten BEFORE UPDATE OR TRUNCATE ON public.transaction_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF account_id, currency, purpose ON public.balances FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF card_id, number_hash, sealed_number ON public.card_secrets FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF transaction_id, card_id, series_id, authorized_at, decline_reason ON public.card_transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF id, account_id, series_id, replaces_id, kind, form, last4 ON public.cards FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF id, currency, settles_on, created_at ON public.clearing_messages FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF transaction_id, account_number, name, bank, end_to_end_id, settles_on, reference, returned_id ON public.external_transactions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER zero_sum AFTER INSERT ON public.entries REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION public.check_zero_sum();
ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT fk_access_grants_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.account_products
    ADD CONSTRAINT fk_account_products_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.account_products
    ADD CONSTRAINT fk_account_products_product_id FOREIGN KEY (product_id) REFERENCES public.products(id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT fk_accounts_id FOREIGN KEY (id) REFERENCES public.balances(account_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT fk_accounts_owner_id FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT fk_approvals_decided_by FOREIGN KEY (decided_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT fk_approvals_hold_id FOREIGN KEY (hold_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT fk_approvals_proposed_by FOREIGN KEY (proposed_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.card_blocks
    ADD CONSTRAINT fk_card_blocks_card_id FOREIGN KEY (card_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.card_limits
    ADD CONSTRAINT fk_card_limits_card_id FOREIGN KEY (card_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.card_secrets
    ADD CONSTRAINT fk_card_secrets_card_id FOREIGN KEY (card_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.card_transactions
    ADD CONSTRAINT fk_card_transactions_card_id FOREIGN KEY (card_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.card_transactions
    ADD CONSTRAINT fk_card_transactions_series_id FOREIGN KEY (series_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.card_transactions
    ADD CONSTRAINT fk_card_transactions_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.cards
    ADD CONSTRAINT fk_cards_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.cards
    ADD CONSTRAINT fk_cards_replaces_id FOREIGN KEY (replaces_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.cards
    ADD CONSTRAINT fk_cards_series_id FOREIGN KEY (series_id) REFERENCES public.cards(id);
ALTER TABLE ONLY public.delegated_payments
    ADD CONSTRAINT fk_delegated_payments_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.due_postings
    ADD CONSTRAINT fk_due_postings_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.due_postings
    ADD CONSTRAINT fk_due_postings_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.external_transactions
    ADD CONSTRAINT fk_external_transactions_message_id_clearing_messages FOREIGN KEY (message_id) REFERENCES public.clearing_messages(id);
ALTER TABLE ONLY public.external_transactions
    ADD CONSTRAINT fk_external_transactions_returned_id_transactions FOREIGN KEY (returned_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.external_transactions
    ADD CONSTRAINT fk_external_transactions_transaction_id_transactions FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.grant_tokens
    ADD CONSTRAINT fk_grant_tokens_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.granted_accounts
    ADD CONSTRAINT fk_granted_accounts_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.granted_accounts
    ADD CONSTRAINT fk_granted_accounts_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.interest_accruals
    ADD CONSTRAINT fk_interest_accruals_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.interest_accruals
    ADD CONSTRAINT fk_interest_accruals_product_id FOREIGN KEY (product_id) REFERENCES public.products(id);
ALTER TABLE ONLY public.interest_postings
    ADD CONSTRAINT fk_interest_postings_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.interest_postings
    ADD CONSTRAINT fk_interest_postings_due_posting_id FOREIGN KEY (due_posting_id) REFERENCES public.due_postings(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_invited_by FOREIGN KEY (invited_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT fk_memberships_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT fk_oauth_codes_client_id FOREIGN KEY (client_id) REFERENCES public.oauth_clients(id);
ALTER TABLE ONLY public.oauth_codes
    ADD CONSTRAINT fk_oauth_codes_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.oauth_consents
    ADD CONSTRAINT fk_oauth_consents_client_id FOREIGN KEY (client_id) REFERENCES public.oauth_clients(id);
ALTER TABLE ONLY public.oauth_consents
    ADD CONSTRAINT fk_oauth_consents_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.oauth_consents
    ADD CONSTRAINT fk_oauth_consents_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.oauth_refresh_tokens
    ADD CONSTRAINT fk_oauth_refresh_tokens_client_id FOREIGN KEY (client_id) REFERENCES public.oauth_clients(id);
ALTER TABLE ONLY public.oauth_refresh_tokens
    ADD CONSTRAINT fk_oauth_refresh_tokens_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT fk_passkeys_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.payees
    ADD CONSTRAINT fk_payees_owner_id_users FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_account_id FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_decided_by FOREIGN KEY (decided_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_grant_id FOREIGN KEY (grant_id) REFERENCES public.access_grants(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_hold_id FOREIGN KEY (hold_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_to_account_id FOREIGN KEY (to_account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.payment_requests
    ADD CONSTRAINT fk_payment_requests_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.product_terms
    ADD CONSTRAINT fk_product_terms_product_id FOREIGN KEY (product_id) REFERENCES public.products(id);
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT fk_recovery_codes_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.scheduled_runs
    ADD CONSTRAINT fk_scheduled_runs_schedule_id FOREIGN KEY (schedule_id) REFERENCES public.scheduled_transfers(id);
ALTER TABLE ONLY public.scheduled_runs
    ADD CONSTRAINT fk_scheduled_runs_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.scheduled_transfers
    ADD CONSTRAINT fk_scheduled_transfers_from_account_id FOREIGN KEY (from_account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.scheduled_transfers
    ADD CONSTRAINT fk_scheduled_transfers_owner_id FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT fk_sessions_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.statements
    ADD CONSTRAINT fk_statements_account_id_accounts FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.totp_factors
    ADD CONSTRAINT fk_totp_factors_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.transaction_notes
    ADD CONSTRAINT fk_transaction_notes_transaction_id FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT fk_transactions_from_account_id FOREIGN KEY (from_account_id) REFERENCES public.balances(account_id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT fk_transactions_parent_id FOREIGN KEY (parent_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT fk_transactions_reverses_id FOREIGN KEY (reverses_id) REFERENCES public.transactions(id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT fk_transactions_to_account_id FOREIGN KEY (to_account_id) REFERENCES public.balances(account_id);
ALTER TABLE ONLY public.verified_payments
    ADD CONSTRAINT fk_verified_payments_transaction_id_transactions FOREIGN KEY (transaction_id) REFERENCES public.transactions(id);
