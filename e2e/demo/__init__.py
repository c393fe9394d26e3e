# SPDX-License-Identifier: Apache-2.0
"""The demo: three clusters, ten steps, and what was measured."""
