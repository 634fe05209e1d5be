//! The id that Kafka gives a topic when it is created. librdkafka knows it and the safe bindings do not
//! expose it, so this one question is asked here: Metadata, version 12.
//! <https://kafka.apache.org/protocol.html#The_Messages_Metadata>

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::time::Duration;

use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// How long one broker may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// After how long the next broker is asked too. A healthy one answers in milliseconds.
const NEXT_AFTER: Duration = Duration::from_millis(200);
/// The largest answer read: the brokers of a large cluster and one topic of a thousand partitions.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const METADATA: i16 = 3;
const VERSION: i16 = 12;

/// The id of a topic, from the first of the brokers that answers. If one takes its time the next is asked too,
/// so that a silent broker delays nobody. None where they do not understand the question: old
/// brokers give no ids, and close the connection or answer something else.
pub(super) async fn topic_id(brokers: &str, topic: &str) -> io::Result<Option<Uuid>> {
    let mut asked: FuturesUnordered<_> = brokers
        .split(',')
        .zip(0..)
        .map(|(broker, before)| async move {
            tokio::time::sleep(NEXT_AFTER * before).await;
            let answer = tokio::time::timeout(TIMEOUT, ask(broker.trim(), topic)).await;
            answer.unwrap_or_else(|_elapsed| Err(ErrorKind::TimedOut.into()))
        })
        .collect();
    let mut why = io::Error::from(ErrorKind::NotFound);
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(id) => return Ok(Some(id)),
            Err(_error) if is_old(&why) => {}
            Err(error) => why = error,
        }
    }
    if is_old(&why) { Ok(None) } else { Err(why) }
}

/// Whether a broker was there and did not understand.
fn is_old(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

/// The ids of topics, as far as the brokers give topics ids.
pub(super) async fn topic_ids(
    brokers: &str,
    topics: impl IntoIterator<Item = &'static str>,
) -> io::Result<HashMap<&'static str, Uuid>> {
    let ask = async |topic| io::Result::Ok((topic, topic_id(brokers, topic).await?));
    let answers = try_join_all(topics.into_iter().map(ask)).await?;
    Ok(answers.into_iter().filter_map(|(topic, id)| Some((topic, id?))).collect())
}

async fn ask(broker: &str, topic: &str) -> io::Result<Uuid> {
    let mut stream = TcpStream::connect(broker).await?;
    stream.write_all(&request(topic)).await?;
    let length = stream.read_u32().await? as usize;
    if length > ANSWER_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Answer { rest: &answer }.topic_id().ok_or_else(|| ErrorKind::InvalidData.into())
}

fn request(topic: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    // Correlation id, no client id, no tags; then a list of one topic, which is counted from one.
    body.extend([0, 0, 0, 1, 0xff, 0xff, 0, 2]);
    body.extend(Uuid::nil().into_bytes());
    // Lengths are variable; two bytes hold Kafka's longest name of 249 characters.
    let length = topic.len() + 1;
    body.extend([0x80 | (length & 0x7f) as u8, (length >> 7) as u8]);
    body.extend(topic.as_bytes());
    // No tags; create nothing; no authorizations; no tags.
    body.extend([0, 0, 0, 0]);
    [&(body.len() as u32).to_be_bytes(), body.as_slice()].concat()
}

/// Reads an answer; `None` when it is not as expected.
struct Answer<'a> {
    rest: &'a [u8],
}

impl<'a> Answer<'a> {
    fn topic_id(mut self) -> Option<Uuid> {
        // Correlation id, tags, throttle time.
        self.take(4)?;
        self.tags()?;
        self.take(4)?;
        for _broker in 1..self.varint()? {
            // Node, host, port, rack.
            self.take(4)?;
            self.text()?;
            self.take(4)?;
            self.text()?;
            self.tags()?;
        }
        // Cluster and controller.
        self.text()?;
        self.take(4)?;
        let topics = self.varint()?;
        let error = self.take(2)?;
        self.text()?;
        let id = Uuid::from_slice(self.take(16)?).ok()?;
        // A broker without ids sends zeroes.
        (topics == 2 && error == [0, 0] && !id.is_nil()).then_some(id)
    }

    fn tags(&mut self) -> Option<()> {
        for _tag in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        // One more than the length; zero for none.
        let length = self.varint()?.saturating_sub(1);
        self.take(length).map(|_text| ())
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = usize::from(self.take(1)?[0]);
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_ends_early_has_no_id() {
        for length in 0..40 {
            assert_eq!(Answer { rest: &vec![1; length] }.topic_id(), None);
        }
    }
}
