use super::*;

const GOOD: &str = r#"
name: deploy
on:
  workflow_dispatch:
permissions: {}
concurrency:
  group: environment-${{ inputs.environment }}
  cancel-in-progress: false
jobs:
  deploy:
    name: Deploy
    runs-on: ubuntu-24.04
    timeout-minutes: 90
    environment: ${{ inputs.environment }}
    permissions:
      contents: read
    strategy:
      matrix:
        environment: [dev, prod]
    env:
      TARGET: ${{ inputs.environment }}
    steps:
      - name: Check out
        uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - name: Assume the role
        uses: aws-actions/configure-aws-credentials@e1253824e5c10ff9df46874f81ed3ec929e19cfd # v6.3.0
        with:
          role-duration-seconds: 5400
      - name: First
        run: exec target/debug/xtask stage first "$TARGET"
      - name: Second
        run: exec target/debug/xtask stage second "$TARGET"
      - name: Summary
        if: always()
        run: exec target/debug/xtask status "$TARGET" --summary
"#;

fn findings(text: &str) -> Vec<String> {
    let expected = Expected {
        stages: &["first", "second"],
        environments: &["dev".to_owned(), "prod".to_owned()],
        parse_command: |words| match words[0].as_str() {
            "stage" | "status" | "plan" => Ok(()),
            other => Err(format!("no command `{other}`")),
        },
    };
    let workflow = parse(text).unwrap();
    let found = rules::inspect("deploy.yml", text, &workflow, &expected);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_workflow_has_no_finding() {
    assert_eq!(findings(GOOD), [""; 0]);
}

#[test]
fn each_broken_rule_is_found() {
    for (from, to, message) in [
        ("  workflow_dispatch:", "  pull_request_target:", "rights of this repository"),
        ("permissions: {}", "permissions: read-all", "has to start with `permissions: {}`"),
        ("group: environment-", "group: deploy-", "is `environment-<name>`"),
        (
            "cancel-in-progress: false",
            "cancel-in-progress: true",
            "needs `cancel-in-progress: false`",
        ),
        ("  cancel-in-progress: false\n", "", "needs `cancel-in-progress: false`"),
        ("ubuntu-24.04", "ubuntu-latest", "name the version"),
        ("ubuntu-24.04", "${{ vars.RUNNER || 'ubuntu-latest' }}", "name the version"),
        ("    timeout-minutes: 90\n", "", "`timeout-minutes` is missing"),
        ("role-duration-seconds: 5400", "role-duration-seconds: 3600", "as long as the job"),
        ("role-duration-seconds: 5400", "aws-region: x", "as long as the job"),
        ("    environment: ${{ inputs.environment }}\n", "", "needs `environment:`"),
        ("    permissions:\n      contents: read\n", "", "`permissions` has to name each right"),
        ("[dev, prod]", "[dev]", "terraform/environments has"),
        ("90b1 # v7.0.1", "90b1", "pin the action by commit"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7.0.1", "pin the action by commit"),
        ("persist-credentials: false", "fetch-depth: 1", "persist-credentials"),
        ("      - name: First\n        run", "      - run", "give it a name"),
        ("stage first", "stage frist", "its stages are frist, second"),
        ("exec target/debug/xtask stage first", "target/debug/xtask stage first", "start it with"),
        ("stage second \"$TARGET\"", "stage second \"$TARGET\" || true", "more than one"),
        ("if: always()", "if: success()", "with `if: always()`"),
        ("status \"$TARGET\"", "state \"$TARGET\"", "no command `state`"),
        ("TARGET: ${{ inputs.environment }}", "TARGET: ${{ secrets.TARGET }}", "no stored secret"),
        ("        if: always()", "        continue-on-error: true", "hides failures"),
    ] {
        assert!(GOOD.contains(from), "the sample holds {from}");
        let found = findings(&GOOD.replacen(from, to, 1));
        assert!(found.iter().any(|line| line.contains(message)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn findings_name_the_line() {
    let found = findings(&GOOD.replace("stage first \"$TARGET\"", "stage first $TARGET"));
    let line = GOOD.lines().position(|line| line.contains("name: First")).unwrap() + 1;
    assert!(
        found.iter().any(|text| text.starts_with(&format!("deploy.yml:{line}: "))),
        "{found:?}"
    );
}

#[test]
fn workflows_that_write_share_one_group() {
    let groups = [("a.yml", "environment-"), ("b.yml", "environment-"), ("c.yml", "destroy-")];
    let groups = groups.map(|(path, group)| (path.to_owned(), group.to_owned()));
    let found = rules::unequal_groups(&groups.into_iter().collect());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "c.yml");
}
