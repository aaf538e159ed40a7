#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# certs.sh DIR IP...: folders of certificates for tests of TLS.
#   good     one CA; the server is localhost, 127.0.0.1 and the IPs
#   foreign  the same CA; the server is another host
#   expired  the same CA; both certificates were valid until yesterday
#   swapped  the same CA; a client's certificate where the server's should be
#   other    the same hosts under a CA of their own
set -e
dir=$1
shift
names=DNS:localhost,IP:127.0.0.1
for ip in "$@"; do
	names=$names,IP:$ip
done

# 'openssl ca', since 'openssl x509' has no dates (3.0) and, later, takes no
# days that are over.
mkdir -p "$dir/issued"
: >"$dir/index"
cat >"$dir/ca.conf" <<END
[ca]
default_ca = any
[any]
database = $dir/index
new_certs_dir = $dir/issued
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
[names]
commonName = supplied
END

ca() { # FOLDER
	mkdir -p "$dir/$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -days 2 -subj "/CN=test CA $1" \
		-addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign \
		-keyout "$dir/$1-ca-key.pem" -out "$dir/$1/ca-cert.pem" \
		2>/dev/null
}

cert() { # FOLDER CA-FOLDER ROLE DAYS NAMES USE
	mkdir -p "$dir/$1"
	[ "$1" = "$2" ] || cp "$dir/$2/ca-cert.pem" "$dir/$1/"
	printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$5" "$6" \
		>"$dir/ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-subj "/CN=$1 $3" -keyout "$dir/$1/$3-key.pem" \
		-out "$dir/csr" 2>/dev/null
	openssl ca -batch -notext -config "$dir/ca.conf" -in "$dir/csr" \
		-cert "$dir/$2/ca-cert.pem" -keyfile "$dir/$2-ca-key.pem" \
		-startdate "$(day -3)" -enddate "$(day "$4")" \
		-extfile "$dir/ext" -out "$dir/$1/$3-cert.pem" 2>/dev/null
}
day() { # HOW MANY FROM NOW
	date -u -d "$1 days" +%Y%m%d%H%M%SZ
}

pair() { # FOLDER CA-FOLDER DAYS SERVER-NAMES
	cert "$1" "$2" server "$3" "$4" serverAuth
	cert "$1" "$2" client "$3" DNS:client clientAuth
}

ca good
ca other
pair good good 2 "$names"
pair foreign good 2 DNS:elsewhere.example
pair expired good -1 "$names"
cert swapped good server 2 "$names" clientAuth
cert swapped good client 2 DNS:client clientAuth
pair other other 2 "$names"
