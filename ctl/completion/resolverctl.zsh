#compdef resolverctl
# zsh completion of resolverctl(1): resolverctl completion zsh
_resolverctl_table()
{
	local word first='' second='' skip=0
	words='' options='' files=''
	for word; do
		if [ $skip = 1 ]; then skip=0; continue; fi
		case $word in
		--socket | -s | --interval | --for | --server | --type | --rate | --count | --timeout | --slow | --rows | --client) skip=1 ;;
		-*) ;;
		*) if [ -z "$first" ]; then first=$word
		   elif [ -z "$second" ]; then second=$word; fi ;;
		esac
	done
	if [ $skip = 1 ]; then
		case $word in --socket | -s) files=1 ;; esac
		return 0
	fi
	options=' --socket --json --help --version'
	if [ -z "$first" ]; then words=' status stats top watch cache prefetch upstreams forward anchors nta trace explain probe config log version completion help'; return; fi
	if [ -z "$second" ]; then case $first in
	'cache') words=' stats show flush dump load' ;;
	'prefetch') words=' list stats now' ;;
	'forward') words=' list add remove reset' ;;
	'nta') words=' list add remove' ;;
	'config') words=' check show reload' ;;
	'log') words=' queries' ;;
	esac; fi
	[ -z "$words" ] || return 0
	case $first in
	'status') options=' --socket --json --help --version' ;;
	'stats') options=' --socket --json --help --version --watch --interval --count' ;;
	'top') options=' --socket --json --help --version --interval --count --rows' ;;
	'watch') options=' --socket --json --help --version --count' ;;
	'upstreams') options=' --socket --json --help --version' ;;
	'anchors') options=' --socket --json --help --version' ;;
	'trace') options=' --socket --json --help --version --cached --from-root' ;;
	'explain') options=' --socket --json --help --version --client' ;;
	'probe') options=' --socket --json --help --version --interval --for --server --tcp --type --rate --count --timeout --slow' ;;
	'log') options=' --socket --json --help --version' ;;
	'version') options=' --socket --json --help --version' ;;
	'completion') options=' --socket --json --help --version' words='bash zsh' ;;
	'help') options=' --socket --json --help --version' ;;
	*) case "$first $second" in
	'cache stats') options=' --socket --json --help --version' ;;
	'cache show') options=' --socket --json --help --version' ;;
	'cache flush') options=' --socket --json --help --version --subtree --all' ;;
	'cache dump') options=' --socket --json --help --version' files=1 ;;
	'cache load') options=' --socket --json --help --version --rate' files=1 ;;
	'prefetch list') options=' --socket --json --help --version' ;;
	'prefetch stats') options=' --socket --json --help --version' ;;
	'prefetch now') options=' --socket --json --help --version' ;;
	'forward list') options=' --socket --json --help --version' ;;
	'forward add') options=' --socket --json --help --version --tcp --rate --fallback --insecure' ;;
	'forward remove') options=' --socket --json --help --version' ;;
	'forward reset') options=' --socket --json --help --version' ;;
	'nta list') options=' --socket --json --help --version' ;;
	'nta add') options=' --socket --json --help --version --for' ;;
	'nta remove') options=' --socket --json --help --version' ;;
	'config check') options=' --socket --json --help --version' files=1 ;;
	'config show') options=' --socket --json --help --version' ;;
	'config reload') options=' --socket --json --help --version' ;;
	'log queries') options=' --socket --json --help --version' ;;
	   esac ;;
	esac
}
_resolverctl()
{
	local cur=${words[CURRENT]} options files
	local -a given=("${(@)words[2,CURRENT-1]}")
	_resolverctl_choose()
	{
		local words
		_resolverctl_table "$@"
		choice=(${=words})
	}
	local -a choice
	_resolverctl_choose "${(@)given}"
	[[ $cur != -* ]] || choice=(${=options})
	compadd -a choice
	[[ -z $files || $cur == -* ]] || _files
}
if [ "$funcstack[1]" = _resolverctl ]; then _resolverctl "$@"
else compdef _resolverctl resolverctl; fi
