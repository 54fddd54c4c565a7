-- Machines that take part in the mesh, or want to. Owners may be people of another database: no foreign key.
create table mesh_enrolments (
    id text primary key,
    -- What its owner calls the machine; nobody else has one of that name.
    node_id text not null unique,
    kind text not null check (kind in ('agent', 'coordinator')),
    state text not null check (state in ('pending', 'active', 'suspended', 'rejected')),
    owner_id text not null,
    device_id text,
    -- Of the token with which it registers. The key that shows it first is the machine's.
    token_hash text,
    -- Bound when it registers; nothing else is the machine from then on.
    public_key text unique,
    created_at bigint not null,
    decided_at bigint,
    decided_by text,
    last_seen_at bigint
);
create index mesh_enrolments_owner on mesh_enrolments (owner_id);

-- Amounts are microcredits. Credits come from `issued`, which alone may go below zero: all balances add up to zero.
create table ledger_accounts (
    id text primary key,
    balance bigint not null check (balance >= 0 or id = 'issued')
);

-- Each happens once: a completion is held once and settled once.
create table ledger_transactions (
    id text primary key,
    kind text not null check (kind in ('grant', 'hold', 'settle')),
    completion_id text,
    reason text,
    -- Who did it, of a grant.
    created_by text,
    created_at bigint not null
);
create unique index ledger_transactions_completion on ledger_transactions (completion_id, kind);

create table ledger_entries (
    transaction_id text not null references ledger_transactions (id),
    account_id text not null references ledger_accounts (id),
    amount bigint not null,
    -- What the account had afterwards.
    balance bigint not null,
    primary key (transaction_id, account_id)
);
create index ledger_entries_account on ledger_entries (account_id, transaction_id);

-- Requests for models.
create table mesh_completions (
    id text primary key,
    user_id text not null,
    model text not null,
    path text not null,
    state text not null check (state in ('held', 'done', 'cancelled', 'broken', 'failed')),
    -- Which server works at it: one that came later finds what an earlier one left behind.
    epoch bigint not null,
    -- Where it is served, by whose machine, and what that asks for a token.
    node_id text not null,
    provider_id text not null,
    input_price bigint not null,
    output_price bigint not null,
    held bigint not null,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    cost bigint not null default 0,
    -- Why it went where it went: JSON.
    choices text not null,
    first_byte_ms bigint,
    created_at bigint not null,
    ended_at bigint
);
create index mesh_completions_user on mesh_completions (user_id, id);
create index mesh_completions_held on mesh_completions (epoch) where state = 'held';
