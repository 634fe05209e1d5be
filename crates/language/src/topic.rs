//! A topic and its records, declared as one list. The macro is the only place that turns the list into an enum, so
//! that no match on it can be forgotten.

/// Declares the events of one topic as an enum of their record types, with [`Events`](crate::Events).
///
/// ```
/// use language::Events;
///
/// #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
/// pub struct Greeted {
///     pub name: String,
/// }
///
/// language::topic! {
///     /// Who was greeted.
///     GreetingEvent on "greeting.events" in "example.greeting.v1", schemas "tests/schemas", language &[],
///     name: String {
///         Greeted,
///     }
/// }
///
/// assert_eq!(GreetingEvent::from(Greeted { name: "Ada".into() }).key(), "Ada");
/// ```
///
/// `schemas` is the folder of the records' `.avsc` files, seen from the crate's `Cargo.toml`; `language` is every
/// topic of the same language, see [`Events::LANGUAGE`](crate::Events::LANGUAGE); then comes the field that is
/// the Kafka key, which every record has.
#[macro_export]
macro_rules! topic {
    (
        $(#[$doc:meta])*
        $Event:ident on $topic:literal in $namespace:literal, schemas $folder:literal, language $language:expr,
        $key:ident: $Key:ty {
            $($Record:ident),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $Event {
            $($Record($Record)),+
        }

        impl $Event {
            /// What this event is about: the value behind the Kafka key.
            pub fn $key(&self) -> &$Key {
                match self {
                    $(Self::$Record(record) => &record.$key),+
                }
            }
        }

        const _: () = {
            // The records' places in the list; an enum counts them, which a macro cannot.
            #[allow(clippy::enum_variant_names, reason = "records of a topic share a prefix")]
            enum Index {
                $($Record),+
            }

            impl $crate::Events for $Event {
                const TOPIC: &'static str = $topic;
                const KEY: &'static str = stringify!($key);
                const RECORDS: &'static [$crate::RecordInfo] = &[$($crate::RecordInfo {
                    name: stringify!($Record),
                    full_name: concat!($namespace, ".", stringify!($Record)),
                    topic: $topic,
                    schema: include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", stringify!($Record), ".avsc"
                    )),
                }),+];
                const LANGUAGE: &'static [$crate::TopicInfo] = $language;

                fn record(&self) -> usize {
                    match self {
                        $(Self::$Record(_) => Index::$Record as usize),+
                    }
                }

                fn key(&self) -> String {
                    self.$key().to_string()
                }

                fn read<R: $crate::ReadRecord>(record: usize, reader: R) -> Result<Self, R::Error> {
                    $(if record == Index::$Record as usize {
                        return reader.read().map(Self::$Record);
                    })+
                    panic!("{} has no record with index {record}", <Self as $crate::Events>::TOPIC)
                }

                fn write<W: $crate::WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error> {
                    match self {
                        $(Self::$Record(record) => writer.write(record)),+
                    }
                }
            }
        };

        $(impl From<$Record> for $Event {
            fn from(record: $Record) -> Self {
                Self::$Record(record)
            }
        })+
    };
}
