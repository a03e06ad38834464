//! Builds that people want.

use serde_json::json;

use super::support::Case;

#[test]
fn a_build_is_forced_with_what_its_templates_ask_for() {
    let mut case = Case::new();
    case.build("shop 7.0", 1, &[]);
    case.builds[0]["builders"] = json!(["shop 7.0-pg15", "shop 7.0-pg17"]);
    case.builds[0]["properties"] =
        json!([{"name": "buildout-tag", "required": true}, {"name": "note", "required": false}]);
    case.build("shop_7_0", 1, &[]);
    case.start();
    let known = case.master.get("forceschedulers");
    let mut names: Vec<_> = known.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable_by_key(|name| name.len());
    assert_eq!(names[0], "force-shop_7_0");
    assert!(names[1].starts_with("force-shop_7_0-"), "{names:?}");
    let path = format!("forceschedulers/{}", names[1]);

    let refused = case.master.call(&path, "force", &json!({"note": "x"})).unwrap_err();
    assert!(refused["message"].to_string().contains("'buildout-tag' needs to be specified"), "{refused}");
    let asked = json!({"buildout-tag": "1.2", "note": " ", "username": "Ann", "reason": "a try", "builderNames": ["shop 7.0-pg17"]});
    case.master.call(&path, "force", &asked).unwrap();
    assert_eq!(case.asked(1), ["A build was forced by 'Ann': a try: "]);
    let build = case.master.until("builds", |builds| builds[0]["complete"].as_bool()?.then(|| builds[0].clone()));
    let builder = case.master.get(&format!("builders/{}", build["builderid"]));
    assert_eq!(builder[0]["name"], "shop 7.0-pg17");
    let properties = &case.master.get(&format!("builds/{}/properties", build["buildid"]))[0];
    assert_eq!(properties["buildout-tag"], json!(["1.2", "Force Build Form"]));
    assert!(properties["note"].is_null() && properties["owner"][0] == "Ann", "{properties}");
    // Without a choice all builders of the build are asked for.
    case.master.call(&path, "force", &json!({"buildout-tag": "1"})).unwrap();
    assert_eq!(case.asked(2).len(), 2);
    assert_eq!(case.master.get("buildrequests").as_array().unwrap().len(), 3);
}
