# awk -f check.awk table FILE...: does every room include only what the table lets it, and does every word
# stand only where the table lets it? Prints a line for each that breaks it; the exit status is 1 if there is one.

FNR == NR {
	if ($1 == "room") {
		room = strip_colon($2)
		known[room] = 1
		allowed[room, room] = 1
		for (i = 3; i <= NF; i++)
			allowed[room, $i] = 1
	} else if ($1 == "library") {
		library[++libraries] = strip_colon($2)
		places[libraries] = ""
		for (i = 3; i <= NF; i++)
			places[libraries] = places[libraries] " " $i
	} else if ($1 == "word") {
		word[++words] = strip_colon($2)
		where[words] = ""
		for (i = 3; i <= NF; i++)
			where[words] = where[words] " " $i
	}
	next
}

FNR == 1 { here = room_of(FILENAME) }

here != "" && /^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	slash = index(part[2], "/")
	other = substr(part[2], 1, slash - 1)
	if (here == "ctl" && slash == 0)
		next # the client is one flat folder
	if (!(other in known))
		complain("\"" part[2] "\" is not written as \"room/file.h\"")
	else if (!((here, other) in allowed))
		complain(here "/ includes \"" part[2] "\" but may not include " other "/")
}

here != "" && /^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	for (i = 1; i <= libraries; i++)
		if (index(header, library[i]) == 1 && !stands_in(FILENAME, places[i]))
			complain("<" header "> belongs in" places[i] " only")
}

here != "" {
	for (i = 1; i <= words; i++)
		if (index($0, word[i]) && !stands_in(FILENAME, where[i]))
			complain(word[i] " belongs in" where[i] " only")
}

END { exit broken ? 1 : 0 }

# resolverd/dns/text.c → dns; ctl/main.c → ctl; "" where no rule holds (tests may include all).
function room_of(path,	part)
{
	sub(/^\.\//, "", path)
	split(path, part, "/")
	if (part[1] == "ctl")
		return "ctl"
	if (part[1] != "resolverd")
		return ""
	if (!(part[2] in known))
		complain("room " part[2] "/ is not in the table")
	return part[2]
}

function stands_in(path, list,	place, n, i)
{
	n = split(list, place, " ")
	for (i = 1; i <= n; i++)
		if (path == place[i] || (place[i] ~ /\/$/ && index(path, place[i]) == 1))
			return 1
	return 0
}

function strip_colon(word)
{
	sub(/:$/, "", word)
	return word
}

function complain(what)
{
	printf "%s:%d: %s\n", FILENAME, FNR, what
	broken = 1
}
