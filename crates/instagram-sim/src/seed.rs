//! What the program starts with: accounts, threads and texts from a JSON file or from flags.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, bail};
use instagram_sim::{Account, Sim};
use serde::{Deserialize, Serialize};

/// The seed file: `{"accounts": [{"username": "anna"}], "threads": [{"members": ["anna", "bert"]}]}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Seed {
    accounts: Vec<SeedAccount>,
    threads: Vec<SeedThread>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedAccount {
    username: String,
    full_name: Option<String>,
    pk: Option<u64>,
    sessionid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedThread {
    /// User names; the first one started the thread.
    members: Vec<String>,
    title: Option<String>,
    texts: Vec<SeedText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedText {
    from: String,
    text: String,
}

/// What was created.
#[derive(Debug, Serialize)]
pub(crate) struct Planted {
    pub(crate) accounts: Vec<Account>,
    pub(crate) threads: Vec<PlantedThread>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PlantedThread {
    thread_id: String,
    members: Vec<u64>,
}

impl Seed {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Seed> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a seed file", path.display()))
    }

    pub(crate) fn add_flags(&mut self, accounts: &[String], threads: &[String]) {
        let split = |text: &str| match text.split_once('=') {
            Some((first, second)) => (first.to_owned(), Some(second.to_owned())),
            None => (text.to_owned(), None),
        };
        for text in accounts {
            let (username, full_name) = split(text);
            self.accounts.push(SeedAccount { username, full_name, ..SeedAccount::default() });
        }
        for text in threads {
            let (members, title) = split(text);
            let members = members.split(',').map(|name| name.trim().to_owned()).collect();
            self.threads.push(SeedThread { members, title, texts: Vec::new() });
        }
    }

    pub(crate) fn plant(self, sim: &Sim) -> anyhow::Result<Planted> {
        let mut known: HashMap<String, u64> = HashMap::new();
        let mut planted = Planted { accounts: Vec::new(), threads: Vec::new() };
        for new in self.accounts {
            if new.username.is_empty() {
                bail!("an account of the seed has no username");
            }
            let full_name = new.full_name.unwrap_or_else(|| new.username.clone());
            let account = sim.create_account_with(&new.username, &full_name, new.pk, new.sessionid)?;
            known.insert(new.username, account.pk);
            planted.accounts.push(account);
        }
        let find = |name: &str| known.get(name).copied().with_context(|| format!("the seed has no account {name:?}"));
        for new in self.threads {
            let members = new.members.iter().map(|name| find(name)).collect::<anyhow::Result<Vec<u64>>>()?;
            let thread_id = sim.create_thread(&members, new.title.as_deref())?;
            for text in new.texts {
                sim.send_text(find(&text.from)?, &thread_id, &text.text)?;
            }
            planted.threads.push(PlantedThread { thread_id, members });
        }
        Ok(planted)
    }
}
