-- What PostGraphile is given beside the bank's tables: a function to transfer, and the keys its relations need.
CREATE SCHEMA IF NOT EXISTS bench;
CREATE OR REPLACE FUNCTION bench.transfer("from" uuid, "to" uuid, amount bigint, currency text) RETURNS uuid
    LANGUAGE plpgsql VOLATILE STRICT
    AS $$
#variable_conflict use_column
DECLARE
    source public.balances;
    target public.balances;
    moved uuid;
    at timestamptz;
BEGIN
    IF transfer."from" = transfer."to" OR transfer.amount <= 0 THEN
        RAISE EXCEPTION 'not a transfer' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM FROM public.balances WHERE account_id IN (transfer."from", transfer."to") ORDER BY account_id FOR NO KEY UPDATE;
    moved := uuidv7();  -- both taken under the locks, so that an account's entries rise in time
    at := clock_timestamp();
    SELECT * INTO source FROM public.balances WHERE account_id = transfer."from";
    SELECT * INTO target FROM public.balances WHERE account_id = transfer."to";
    IF source.currency IS DISTINCT FROM transfer.currency OR target.currency IS DISTINCT FROM transfer.currency THEN
        RAISE EXCEPTION 'no such account in that currency' USING ERRCODE = 'check_violation';
    END IF;
    IF source.booked - source.held + source.overdraft_limit < transfer.amount THEN
        RAISE EXCEPTION 'insufficient funds' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO public.transactions (id, kind, status, amount, currency, from_account_id, to_account_id, created_at, posted_at, captured)
    VALUES (moved, 'TRANSFER', 'POSTED', transfer.amount, transfer.currency, transfer."from", transfer."to", at, at, 0);
    INSERT INTO public.entries (transaction_id, account_id, amount, balance_after, booked_at)
    VALUES (moved, transfer."from", -transfer.amount, source.booked - transfer.amount, at),
           (moved, transfer."to", transfer.amount, target.booked + transfer.amount, at);
    UPDATE public.balances SET booked = booked + CASE account_id WHEN transfer."from" THEN -transfer.amount ELSE transfer.amount END, updated_at = at
    WHERE account_id IN (transfer."from", transfer."to");
    RETURN moved;
END $$;
CREATE OR REPLACE VIEW bench.history AS
SELECT e.id, e.account_id, e.amount, e.balance_after, e.booked_at, t.id AS transaction_id, t.kind, t.status, t.amount AS transaction_amount,
       t.currency, t.created_at, t.posted_at, n.description, u.full_name AS counterparty_name, a.number AS counterparty_number
FROM public.entries e
JOIN public.transactions t ON t.id = e.transaction_id
LEFT JOIN public.transaction_notes n ON n.transaction_id = t.id
LEFT JOIN public.accounts a ON a.id = CASE WHEN t.from_account_id = e.account_id THEN t.to_account_id ELSE t.from_account_id END
LEFT JOIN public.users u ON u.id = a.owner_id;
CREATE OR REPLACE FUNCTION bench.transfer_between(source bigint, target bigint) RETURNS uuid
    LANGUAGE sql VOLATILE STRICT
    BEGIN ATOMIC
    SELECT bench.transfer(
        ('01900000000070008000' || lpad(to_hex(source), 12, '0'))::uuid,
        ('01900000000070008000' || lpad(to_hex(target), 12, '0'))::uuid, 1, 'EUR');
END;
