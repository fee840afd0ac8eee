//! The signature algorithms that a token may use. Each key has exactly one.

/// An algorithm of RFC 7518 section 3.1 or RFC 8037 section 3.1. `none`, HS384, HS512 and ES512 are not here, so
/// no token can name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Ed25519,
}

impl Algorithm {
    /// The name as it stands in `alg`, compared exactly. Ed25519 has two: that of RFC 8037 and that of RFC 9864.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }

    pub(super) fn is_symmetric(self) -> bool {
        self == Self::Hs256
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    /// Security case F1.
    #[test]
    fn only_exact_names_are_known() {
        for name in [
            "none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "ES512", "ES256K", "RS256 ",
            "Ed448",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
        assert_eq!(Algorithm::from_name("EdDSA"), Algorithm::from_name("Ed25519"));
    }
}
