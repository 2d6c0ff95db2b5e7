use std::collections::BTreeMap;

use mainstay_monitoring::drift::{
    DriftError, KsMethod, benjamini_hochberg, e_benjamini_hochberg, holm, homogeneity, kolmogorov_tail,
    ks_two_sample, psi_cat, psi_q10_ref, total_variation, two_proportions,
};

use crate::reference::{close, counts, float, floats, list, load};

fn figures() -> serde_json::Value {
    load(include_str!("../reference/drift.json"))
}

#[test]
fn tables_of_counts_agree_with_numpy_and_scipy() {
    for case in list(&figures()["tables"]) {
        let (reference, current) = (counts(&case["reference"]), counts(&case["current"]));
        let psi = psi_q10_ref(&reference, &current).unwrap();
        close(psi.value, float(&case["psi"]["value"]));
        close(psi.expected, float(&case["psi"]["expected"]));
        close(psi.p_value, float(&case["psi"]["p_value"]));
        let test = homogeneity(&reference, &current).unwrap();
        close(test.statistic, float(&case["chi_square"][0]));
        assert_eq!(test.degrees as u64, case["chi_square"][1].as_u64().unwrap());
        close(test.p_value, float(&case["chi_square"][2]));
        close(total_variation(&reference, &current).unwrap(), float(&case["total_variation"]));
    }
}

#[test]
fn psi_of_categories_runs_over_the_union() {
    let map = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let named = psi_cat(&map(&[("a", 70), ("b", 30)]), &map(&[("b", 10), ("c", 40)])).unwrap();
    let table = psi_q10_ref(&[70, 30, 0], &[0, 10, 40]).unwrap();
    close(named.value, table.value);
    assert_eq!(named.bins, 3);
    assert!(!named.is_conclusive(), "150 rows in three bins are too few for the 0.2 rule");
    assert!(psi_q10_ref(&[1000; 10], &[1000; 10]).unwrap().is_conclusive());
}

#[test]
fn kolmogorov_smirnov_agrees_with_scipy() {
    for case in list(&figures()["ks"]) {
        let (reference, current) = (floats(&case["reference"]), floats(&case["current"]));
        let exact = ks_two_sample(&reference, &current, KsMethod::Exact).unwrap();
        close(exact.statistic, float(&case["statistic"]));
        close(exact.p_value, float(&case["exact"]));
        let asymptotic = ks_two_sample(&reference, &current, KsMethod::Asymptotic).unwrap();
        close(asymptotic.p_value, float(&case["asymptotic"]));
    }
}

#[test]
fn every_branch_of_the_kolmogorov_distribution_agrees_with_scipy() {
    for case in list(&figures()["kstwo"]) {
        let (n, d, tail) = (case[0].as_u64().unwrap(), float(&case[1]), float(&case[2]));
        close(kolmogorov_tail(n, d), tail);
    }
}

#[test]
fn proportions_agree_with_scipy() {
    for case in list(&figures()["proportions"]) {
        let count = |i: usize| case[i].as_u64().unwrap();
        let test = two_proportions((count(0), count(1)), (count(2), count(3))).unwrap();
        close(test.z, float(&case[4]));
        close(test.p_value, float(&case[5]));
    }
}

#[test]
fn corrections_agree_with_scipy() {
    for case in list(&figures()["multiplicity"]) {
        let p = floats(&case["p"]);
        benjamini_hochberg(&p).iter().zip(floats(&case["bh"])).for_each(|(a, b)| close(*a, b));
        holm(&p).iter().zip(floats(&case["holm"])).for_each(|(a, b)| close(*a, b));
    }
}

#[test]
fn e_bh_rejects_by_its_definition() {
    // m = 4, q = 0.1: one needs 40, two need 20 each, three 13.4, four 10.
    assert_eq!(e_benjamini_hochberg(&[39.0, 1.0, 0.0, f64::NAN], 0.1), Vec::<usize>::new());
    assert_eq!(e_benjamini_hochberg(&[40.0, 1.0, 0.0, 2.0], 0.1), vec![0]);
    assert_eq!(e_benjamini_hochberg(&[25.0, 1.0, 14.0, 14.0], 0.1), vec![0, 2, 3]);
    assert_eq!(e_benjamini_hochberg(&[10.0; 4], 0.1), vec![0, 1, 2, 3]);
}

#[test]
fn bad_input_is_named() {
    assert_eq!(psi_q10_ref(&[1, 2], &[1]), Err(DriftError::Bins(2, 1)));
    assert_eq!(psi_q10_ref(&[0, 0], &[1, 1]), Err(DriftError::Empty));
    assert_eq!(ks_two_sample(&[f64::NAN], &[1.0], KsMethod::Exact), Err(DriftError::NotANumber));
    assert_eq!(ks_two_sample(&[], &[1.0], KsMethod::Exact), Err(DriftError::Empty));
    let many = vec![0.0; 10_001];
    assert_eq!(ks_two_sample(&many, &many, KsMethod::Exact), Err(DriftError::TooManyForExact(10_000)));
    assert_eq!(two_proportions((2, 1), (0, 1)), Err(DriftError::Proportion));
}
