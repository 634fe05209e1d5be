//! What the decisions of a batch measured, aggregated while they are made: thousands of orders a
//! second share a handful of names and labels.

/// The label of a measure: its name and its value, both fixed.
pub(crate) type Label = (&'static str, &'static str);

/// The measures of a batch.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    /// Few enough that a linear search is cheaper than hashing.
    groups: Vec<Group>,
}

/// All measures of a batch with the same name and label.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) label: Label,
    pub(crate) measured: Measured,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Measured {
    Count(u64),
    Seconds(Vec<f64>),
}

impl Measures {
    pub(crate) fn count(&mut self, name: &'static str, label: Label) {
        match self.find(name, label) {
            Some(Measured::Count(count)) => *count += 1,
            Some(Measured::Seconds(_)) => {}
            None => self.groups.push(Group { name, label, measured: Measured::Count(1) }),
        }
    }

    pub(crate) fn observe(&mut self, name: &'static str, label: Label, seconds: f64) {
        match self.find(name, label) {
            Some(Measured::Seconds(all)) => all.push(seconds),
            Some(Measured::Count(_)) => {}
            None => {
                let measured = Measured::Seconds(vec![seconds]);
                self.groups.push(Group { name, label, measured });
            }
        }
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn find(&mut self, name: &'static str, label: Label) -> Option<&mut Measured> {
        let groups = self.groups.iter_mut();
        let mut same = groups.filter(|group| group.label == label && group.name == name);
        same.next().map(|group| &mut group.measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_measures_of_a_batch_are_put_together() {
        let mut measures = Measures::default();
        measures.count("ends", ("state", "completed"));
        measures.count("ends", ("state", "cancelled"));
        measures.count("ends", ("state", "completed"));
        measures.observe("time", ("step", "shipped"), 0.5);
        measures.observe("time", ("step", "shipped"), 0.25);
        let group = |name, label, measured| Group { name, label, measured };
        let expected = [
            group("ends", ("state", "completed"), Measured::Count(2)),
            group("ends", ("state", "cancelled"), Measured::Count(1)),
            group("time", ("step", "shipped"), Measured::Seconds(vec![0.5, 0.25])),
        ];
        assert_eq!(measures.groups(), expected);
    }
}
