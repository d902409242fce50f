# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion of shim6(8). Verbs and their summaries come from "shim6 help", so that no list is kept twice.

# First words of the lines "  verb ...   summary" of the help; second words of those that begin with $1.
_shim6_verbs() {
	shim6 help 2>/dev/null | awk -v first="$1" '
		/^  [a-z]/ { if (first == "") print $1; else if ($1 == first && $2 ~ /^[a-z]+$/) print $2 }' | sort -u
}

_shim6_options() { # VERB
	shim6 help 2>/dev/null | awk -v verb="$1" '
		/^  --/ { sub(/\[.*/, "", $1); print $1 }
		index($0, "  " verb " ") == 1 {
			while (match($0, /--[a-z-]+/)) {
				print substr($0, RSTART, RLENGTH)
				$0 = substr($0, RSTART + RLENGTH)
			}
		}' | sort -u
}

# JSON of an operation, one value of KEY a line; says nothing when no daemon answers.
_shim6_values() { # KEY VERB...
	local key=$1
	shift
	shim6 --json "$@" 2>/dev/null | grep -oE "\"$key\": ?(\"[^\"]*\"|[0-9]+)" | sed -E 's/^[^:]*: ?"?//; s/"$//' | sort -u
}

_shim6() {
	local cur prev word verb= second= words=() i
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket) ((i++)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done
	verb=${words[0]-}
	second=${words[1]-}
	case $prev in
	--socket | --key | --pcap | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--sort)
		mapfile -t COMPREPLY < <(compgen -W "rate id peer switches idle" -- "$cur")
		return
		;;
	--color)
		mapfile -t COMPREPLY < <(compgen -W "always never auto" -- "$cur")
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		[[ $verb != addr ]] || verb="addr $second"
		mapfile -t COMPREPLY < <(compgen -W "$(_shim6_options "$verb")" -- "$cur")
		return
	fi
	case $verb in
	'' | help) word=$(_shim6_verbs) ;;
	addr)
		if [[ $second == delete ]]; then
			word=$(_shim6_values file addr list)
		elif [[ -z $second ]]; then
			word=$(_shim6_verbs addr)
		else
			word=
		fi
		;;
	contexts | trace | explore | drop) word=$(_shim6_values id contexts) ;;
	establish) word=$(_shim6_values addr locators) ;;
	prefer) word="$(_shim6_values ifname locators) $(_shim6_values addr locators)" ;;
	lab)
		word="up down list status exec fail heal run report help"
		[[ -z $second ]] || word=
		;;
	*) word= ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
	# bash divides words at the colons of addresses
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}
complete -F _shim6 shim6

_shim6d() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--config | --runtime-dir | --state-dir | --pin-dir) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$(shim6d --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u) addr" -- "$cur")
		;;
	esac
}
complete -F _shim6d shim6d
