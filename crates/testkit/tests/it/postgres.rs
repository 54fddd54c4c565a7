use testkit::Postgres;

#[test]
fn databases_are_fresh_and_apart() {
    let postgres = Postgres::shared();
    let (one, two) = (postgres.database(), postgres.database());
    assert_ne!(one, two);
    postgres.psql(&one, "create table t (a int, b text); insert into t values (1, 'x')");
    assert_eq!(postgres.psql(&one, "select a, b from t"), "1|x");
    assert_eq!(postgres.psql(&two, "select count(*) from pg_tables where tablename = 't'"), "0");
}
