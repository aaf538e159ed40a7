# SPDX-License-Identifier: LGPL-2.1-or-later
# completion: for bash.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/virt-mig
