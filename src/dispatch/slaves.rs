//! Sets of slaves, in the order in which they are asked to take a build.

use std::sync::Arc;

use fixedbitset::FixedBitSet;

use crate::model::Slave;

/// The order of slaves: those of the highest priority first, then by name.
#[derive(Debug)]
pub(super) struct Ranking {
    /// The slave at each rank.
    slave: Vec<usize>,
    /// The rank of each slave.
    rank: Vec<usize>,
}

impl Ranking {
    pub(super) fn new(slaves: &[Slave]) -> Self {
        let mut slave: Vec<usize> = (0..slaves.len()).collect();
        slave.sort_by(|one, two| {
            let (one, two) = (&slaves[*one], &slaves[*two]);
            two.priority.value.total_cmp(&one.priority.value).then_with(|| one.name.cmp(&two.name))
        });
        let mut rank = vec![0; slaves.len()];
        for (at, slave) in slave.iter().enumerate() {
            rank[*slave] = at;
        }
        Self { slave, rank }
    }

    /// How many slaves there are.
    pub(super) fn len(&self) -> usize {
        self.slave.len()
    }

    /// The rank of a slave.
    pub(super) fn rank(&self, slave: usize) -> usize {
        self.rank[slave]
    }

    /// The slave at a rank.
    pub(super) fn slave(&self, rank: usize) -> usize {
        self.slave[rank]
    }
}

/// The slaves that take a builder, the best first.
///
/// It is a set of bits, by rank, that all builders with the same slaves share: a farm has many more builders than sets.
#[derive(Debug, Clone)]
pub struct Slaves {
    ranks: Arc<FixedBitSet>,
    ranking: Arc<Ranking>,
}

impl Slaves {
    pub(super) fn new(ranks: Arc<FixedBitSet>, ranking: Arc<Ranking>) -> Self {
        Self { ranks, ranking }
    }

    /// Whether the slave of this index is among them.
    pub fn contains(&self, slave: usize) -> bool {
        self.ranking.rank.get(slave).is_some_and(|rank| self.ranks.contains(*rank))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ranks.count_ones(..)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_clear()
    }

    /// Their indices, the best first.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.ranks.ones().map(|rank| self.ranking.slave(rank))
    }

    /// Their ranks as bits.
    pub(crate) fn ranks(&self) -> &FixedBitSet {
        &self.ranks
    }
}
