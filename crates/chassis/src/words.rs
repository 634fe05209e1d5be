//! Enums of words: each value has a name outside and, where it is stored, a number. Written once, so that the
//! table, the JSON, the document of the API and somebody who settles a call by hand cannot disagree.

/// Declares an enum by the names of its values, and by their numbers where a table holds them. It is JSON, part
/// of an OpenAPI document, and `Display`; a crate that declares one depends on `serde` and `utoipa`.
///
/// A number is in every existing database: it is never given another meaning, and a value that is removed leaves
/// a gap.
#[macro_export]
macro_rules! words {
    ($(#[$about:meta])* $vis:vis enum $Words:ident { $($(#[$doc:meta])* $code:literal $Word:ident = $name:tt;)+ }) => {
        $crate::words! { $(#[$about])* $vis enum $Words { $($(#[$doc])* $Word = $name;)+ } }

        #[allow(dead_code, reason = "what is only read, or only written, needs one of the two")]
        impl $Words {
            /// The number that stands for it in tables.
            $vis const fn code(self) -> i16 {
                match self { $($Words::$Word => $code),+ }
            }

            /// The value with this number.
            $vis const fn of_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some($Words::$Word),)+
                    _unknown => None,
                }
            }
        }
    };
    ($(#[$about:meta])* $vis:vis enum $Words:ident { $($(#[$doc:meta])* $Word:ident = $name:tt;)+ }) => {
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize,
            ::utoipa::ToSchema,
        )]
        $(#[$about])*
        $vis enum $Words {
            $($(#[$doc])* #[serde(rename = $name)] $Word),+
        }

        #[allow(dead_code, reason = "what is only read, or only written, needs one of the two")]
        impl $Words {
            /// Its name outside.
            $vis const fn name(self) -> &'static str {
                match self { $($Words::$Word => $name),+ }
            }

            /// The value with this name.
            $vis fn of_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some($Words::$Word),)+
                    _unknown => None,
                }
            }
        }

        impl ::std::fmt::Display for $Words {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

/// Makes an enum of [`words!`](crate::words) and one of the fleet's language the same: both have these values,
/// and each becomes the other.
#[macro_export]
macro_rules! same_words {
    ($Words:ident = $Other:ty { $($Word:ident),+ $(,)? }) => {
        impl From<$Other> for $Words {
            fn from(other: $Other) -> Self {
                type Other = $Other;
                match other { $(Other::$Word => $Words::$Word),+ }
            }
        }

        impl From<$Words> for $Other {
            fn from(word: $Words) -> Self {
                type Other = $Other;
                match word { $($Words::$Word => Other::$Word),+ }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    mod fleet {
        #[derive(Debug, PartialEq)]
        pub(super) enum Phase {
            Asked,
            Done,
        }
    }

    words! {
        /// How far it is.
        enum Phase {
            1 Asked = "asked";
            /// There is nothing left to do.
            3 Done = "all done";
        }
    }

    same_words! { Phase = fleet::Phase { Asked, Done } }

    #[test]
    fn a_word_has_one_number_and_one_name_and_is_found_by_either() {
        assert_eq!((Phase::Done.code(), Phase::Done.name()), (3, "all done"));
        assert_eq!((Phase::of_code(1), Phase::of_code(2)), (Some(Phase::Asked), None));
        assert_eq!((Phase::of_name("asked"), Phase::of_name("done")), (Some(Phase::Asked), None));
        assert_eq!(serde_json::to_value(Phase::Done).unwrap(), Phase::Done.to_string());
        assert_eq!(serde_json::from_str::<Phase>(r#""asked""#).unwrap(), Phase::Asked);
    }

    #[test]
    fn two_enums_of_the_same_words_become_each_other() {
        assert_eq!(Phase::from(fleet::Phase::Done), Phase::Done);
        assert_eq!(fleet::Phase::from(Phase::Asked), fleet::Phase::Asked);
    }
}
