//! What the online store answers while its sources grow and its definitions change.

use mainstay_core::time::DataTime;
use mainstay_features::online::{EntityKey, Value};
use mainstay_segments::online::{OnlineError, OnlineStore, Options};

use crate::program::Data;

/// A directory with a pipeline that imports orders, applies definitions, and materialises them.
struct Shops {
    data: Data,
    folder: tempfile::TempDir,
}

impl Shops {
    /// One run: orders that are added, the features of a view in their order, and how far it carries.
    fn run(&self, name: &str, orders: &str, features: [&str; 2], carried: &str) {
        let feature = |name: &str| format!("      - {{name: {name}, dtype: int64, expression: {name}}}\n");
        let definitions = format!(
            "entities:\n  - {{name: shop, join_keys: [shop]}}\n\
             sources:\n  - {{name: orders, dataset: orders, timestamp: at_instant}}\n\
             feature_views:\n  - name: lately\n    entities: [shop]\n    source: orders\n    features:\n{}\
             feature_services:\n  - name: sales\n    features: [lately:amount, lately:items]\n",
            features.map(feature).concat(),
        );
        let pipeline = format!(
            "stages:\n  orders:\n    uses: import\n    with: {{dataset: orders, path: {name}.csv, append: true}}\n  \
             features:\n    uses: features\n    with: {{project: shops, definitions: {name}-features.yaml}}\n  \
             carry:\n    uses: materialise\n    needs: [orders, features]\n    \
             with: {{project: shops, service: sales, {carried}}}\n"
        );
        let write = |file: String, text: &str| std::fs::write(self.folder.path().join(file), text).unwrap();
        write(format!("{name}.csv"), &format!("shop,at_instant,amount,items\n{orders}"));
        write(format!("{name}-features.yaml"), &definitions);
        write(format!("{name}.yaml"), &pipeline);
        let pipeline = self.folder.path().join(format!("{name}.yaml"));
        let run = self.data.output(&["run", pipeline.to_str().unwrap()]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }

    /// What is stored of a shop at an instant of January 2020: no values if it has no row.
    fn stored(&self, shop: i64, day: &str) -> Result<Vec<i64>, OnlineError> {
        let (store, _) = OnlineStore::open(&self.data.path().join("segments/online"), Options::default())?;
        let key = EntityKey::of(&[Value::Text(shop.to_string())]).unwrap().unwrap();
        let at = DataTime::parse(&format!("2020-01-{day}:00:00Z")).unwrap();
        let values = store.view("default/shops/lately").unwrap().get(&key, at)?.values;
        Ok(values
            .iter()
            .filter_map(|value| if let Value::Int(int) = value { Some(*int) } else { None })
            .collect())
    }
}

#[test]
fn the_store_answers_as_the_rows_and_definitions_of_now_do() {
    let shops = Shops { data: Data::new(), folder: tempfile::tempdir().unwrap() };
    let stored = |shop, day| shops.stored(shop, day).unwrap();
    let carried = "from: 2020-01-02T00:00:00Z, until: 2020-01-03T00:00:00Z";
    shops.run("first", "1,2020-01-01T00:00:00Z,10,1\n", ["amount", "items"], carried);
    assert_eq!((stored(1, "02T13"), stored(2, "02T13")), (vec![10, 1], vec![]));

    // Rows of before what is covered, of one shop and of another.
    let late = "1,2020-01-02T12:00:00Z,20,2\n2,2020-01-01T00:00:00Z,30,3\n";
    shops.run("late", late, ["amount", "items"], "until: 2020-01-04T00:00:00Z");
    assert_eq!((stored(1, "02T11"), stored(1, "02T13")), (vec![10, 1], vec![20, 2]));
    assert_eq!((stored(2, "02T00"), stored(2, "03T23")), (vec![30, 3], vec![30, 3]));

    // Rows of after it are added to those that are there.
    shops.run("next", "1,2020-01-04T12:00:00Z,40,4\n", ["amount", "items"], "until: 2020-01-05T00:00:00Z");
    assert_eq!(
        (stored(1, "02T13"), stored(1, "04T11"), stored(1, "04T12")),
        (vec![20, 2], vec![20, 2], vec![40, 4])
    );

    // Another definition answers from the same horizon on.
    shops.run("changed", "3,2020-01-05T12:00:00Z,50,5\n", ["items", "amount"], "until: 2020-01-04T00:00:00Z");
    assert_eq!(
        (stored(1, "02T11"), stored(1, "04T12"), stored(2, "02T00")),
        (vec![1, 10], vec![4, 40], vec![3, 30])
    );
    assert!(matches!(shops.stored(1, "01T23"), Err(OnlineError::BeforeHorizon { .. })));
}
