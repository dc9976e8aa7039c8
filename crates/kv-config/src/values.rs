//! What is set, checked against the table: each value alone, then against the others.

use std::collections::BTreeMap;

use crate::key::Key;
use crate::problem::{Problems, either};
use crate::settings::{FromSetting, Settings};
use crate::source::{Given, Origin};
use crate::suggest::{by_distance, nearest};
use crate::value::{Raw, Value, expected, parse, word};
use crate::variable::{PREFIX, Variable};
use crate::variables::Group;

/// How many names an error lists in place of an unknown one.
const MOST_NAMED: usize = 3;

/// The values that are set, by the variable's whole name.
pub(crate) struct Values {
    groups: Vec<Group>,
    set: BTreeMap<String, Set>,
    is_type_misspelled: bool,
}

struct Set {
    subject: String,
    origin: Origin,
    /// Nothing where the value was refused.
    value: Option<Value>,
}

impl Values {
    /// Checks each value; a later one replaces an earlier one of the same variable.
    pub(crate) fn read(groups: Vec<Group>, given: Vec<Given>, problems: &mut Problems) -> Self {
        let mut values = Self { groups, set: BTreeMap::new(), is_type_misspelled: false };
        for given in given {
            values.take(&given, problems);
        }
        values.check_against_each_other(problems);
        values
    }

    /// Nothing set, of the table's variables.
    #[cfg(test)]
    pub(crate) fn unset() -> Self {
        Self::read(crate::variables::groups(), Vec::new(), &mut Problems::default())
    }

    fn take(&mut self, given: &Given, problems: &mut Problems) {
        let subject = given.subject();
        let Some((group, variable)) = self.find(given) else {
            if !self.is_table_of_a_group(given) {
                self.refuse_unknown(given, problems);
            }
            return;
        };
        if given.raw.is_unset() {
            return;
        }
        let value = parse(variable, &given.raw);
        if let Err(problem) = &value {
            problems.add(&subject, problem, expected(variable));
        }
        let name = group.variable(variable);
        let (origin, value) = (given.origin.clone(), value.ok());
        self.set.insert(name, Set { subject, origin, value });
    }

    fn find(&self, given: &Given) -> Option<(&Group, &Variable)> {
        self.all().find(|(group, variable)| name_in(&given.origin, group, variable) == given.name)
    }

    fn all(&self) -> impl Iterator<Item = (&Group, &Variable)> {
        self.groups.iter().flat_map(|group| group.variables.iter().map(move |v| (group, v)))
    }

    fn is_table_of_a_group(&self, given: &Given) -> bool {
        let known = self.groups.iter().any(|group| group.name == given.name);
        known && matches!((&given.origin, &given.raw), (Origin::File(_), Raw::Other(_)))
    }

    fn refuse_unknown(&mut self, given: &Given, problems: &mut Problems) {
        let cut = match given.origin {
            Origin::Variables => PREFIX.len(),
            Origin::File(_) => 0,
        };
        let short = |name: &str| name.get(cut..).unwrap_or_default().to_owned();
        let name = |(group, variable): (&Group, &Variable)| {
            short(&name_in(&given.origin, group, variable))
        };
        let known: Vec<String> = self.all().map(name).collect();
        let head = given.name.get(..cut).unwrap_or_default().to_ascii_uppercase();
        let meant = nearest(&short(&given.name), &known);
        let problem = match &meant {
            Some(name) => format!("is unknown, did you mean `{head}{name}`?"),
            None => "is unknown".into(),
        };
        self.is_type_misspelled |= meant.as_ref().is_some_and(|m| m.eq_ignore_ascii_case("TYPE"));
        let meant = meant.into_iter();
        let beside = by_distance(&short(&given.name), self.names_beside(given).map(name).collect());
        let mut few: Vec<String> = meant.chain(beside).map(|name| head.clone() + &name).collect();
        few.dedup();
        few.truncate(MOST_NAMED);
        few.push("another that the reference of all variables lists".into());
        problems.add(given.subject(), problem, either(&few));
    }

    /// The variables of the group that the unknown one seems to be of.
    fn names_beside(&self, given: &Given) -> impl Iterator<Item = (&Group, &Variable)> {
        let of_group = |group: &&Group| {
            let sample = match given.origin {
                Origin::Variables => format!("{PREFIX}{}_", group.name.to_ascii_uppercase()),
                Origin::File(_) => format!("{}.", group.name),
            };
            !group.name.is_empty() && given.name.starts_with(&sample)
        };
        let group = self.groups.iter().find(of_group).or(self.groups.first());
        group.into_iter().flat_map(|group| group.variables.iter().map(move |v| (group, v)))
    }

    fn check_against_each_other(&self, problems: &mut Problems) {
        for (group, variable) in self.all() {
            let Some(set) = self.set.get(&group.variable(variable)) else { continue };
            for other in variable.excludes {
                if let Some(other) = self.set.get(&group.whole_name(other)) {
                    let problem = format!("is set together with {}", other.subject);
                    problems.add(&set.subject, problem, "only one of the two");
                }
            }
            // A value that was refused is told once.
            if let (Some((other, words)), Some(_)) = (variable.needs, &set.value) {
                self.check_need(group, set, (other, words), problems);
            }
        }
    }

    fn check_need(
        &self,
        group: &Group,
        set: &Set,
        (other, words): (&str, &[&str]),
        problems: &mut Problems,
    ) {
        let name = group.whole_name(other);
        let met = match self.set.get(&name) {
            // What was refused is told there.
            Some(other) => other.value.as_ref().is_none_or(|value| words.contains(&word(value))),
            None => false,
        };
        if !met {
            let expected = format!("{name} to be {}", either(words));
            problems.add(&set.subject, "has no effect", expected);
        }
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What is set of a group, right or wrong: what an error calls it, and who gave it.
    pub(crate) fn set_in(&self, group: &Group) -> Vec<(&str, &Origin)> {
        let set = group.variables.iter().filter_map(|v| self.set.get(&group.variable(v)));
        set.map(|set| (set.subject.as_str(), &set.origin)).collect()
    }

    /// Whether an unknown variable was taken for a slip in the name of the type's.
    pub(crate) fn is_type_misspelled(&self) -> bool {
        self.is_type_misspelled
    }

    /// Whether something is set, be it right or wrong.
    pub(crate) fn is_set<T: FromSetting>(&self, key: &Key<T>) -> bool {
        self.set.contains_key(&key.name())
    }

    /// What an error calls the variable.
    pub(crate) fn subject<T: FromSetting>(&self, key: &Key<T>) -> String {
        let name = key.name();
        self.set.get(&name).map_or(name, |set| set.subject.clone())
    }

    /// The value that is set; nothing where it was refused, since that is told.
    pub(crate) fn given<T: FromSetting>(&self, key: &Key<T>) -> Option<T> {
        T::read(self.set.get(&key.name())?.value.as_ref()).ok()
    }

    /// The value that is set, or else the default.
    pub(crate) fn get<T: FromSetting>(&self, key: &Key<T>) -> Option<T> {
        let by_default = || parse(&key.variable, &Raw::Untyped(key.variable.default?.into())).ok();
        self.given(key).or_else(|| T::read(Some(&by_default()?)).ok())
    }

    /// The values of a group, with the defaults of what is unset.
    pub(crate) fn settings(&self, group: &str, problems: &mut Problems) -> Settings {
        let mut settings = Settings::new(group);
        for (group, variable) in self.all().filter(|(known, _)| known.name == group) {
            let name = group.variable(variable);
            let value = match (self.set.get(&name), variable.default) {
                (Some(set), _) => set.value.clone(),
                (None, Some(default)) => parse(variable, &Raw::Untyped(default.into()))
                    .map_err(|problem| problems.add(&name, problem, expected(variable)))
                    .ok(),
                (None, None) => {
                    if variable.required {
                        problems.add(&name, "is not set", expected(variable));
                    }
                    None
                }
            };
            settings.insert(variable, value);
        }
        settings
    }
}

/// The variable's name as the origin writes it.
fn name_in(origin: &Origin, group: &Group, variable: &Variable) -> String {
    match origin {
        Origin::Variables => group.variable(variable),
        Origin::File(_) => group.key(variable),
    }
}
