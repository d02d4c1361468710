//! Rendering as a whole, on small inputs. Larger ones are cases under `tests/cases/render`.
