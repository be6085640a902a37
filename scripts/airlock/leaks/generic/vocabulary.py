"""The words that names of secrets are made of, and those that make a name something else."""

from __future__ import annotations

PASSWORD, SECRET, TOKEN, KEY, SALT, AUTH = "password", "secret", "token", "key", "salt", "auth"
"""What a word promises. The last are what proves who one is: cookies, sessions, signatures."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BY_KIND = {
    PASSWORD: (
        "password passwords passwd passwrd pasword psswd psswrd pssword pswrd psword paswd "
        "paswrd passwort passphrase passphrases passcode passkey pwd pwds pswd psw pw pass passw "
        "pword userpass dbpass rootpass requirepass rootpw bindpw masterauth ftppass mdp "
        "motdepasse kennwort senha contrasena contraseña contrase wachtwoord haslo hasło "
        "lösenord clave parola parole пароль Пароль 密码 密碼 口令 パスワード 비밀번호 암호"
    ),
    SECRET: ("secret secrete secrets credential credentials cred creds psk"),
    TOKEN: ("token tokens"),
    KEY: (
        "key keys pkey apikey apikeys appkey authkey secretkey accesskey privatekey "
        "privkey masterkey accountkey cryptkey encryptionkey signingkey signkey sharedkey "
        "licensekey sshkey aeskey hmackey jwtkey userkey clientkey sessionkey storagekey "
        "passkeys apipkey sharedaccesskey"
    ),
    SALT: ("salt salts nonce seed pepper iv"),
    AUTH: (
        "auth authorization bearer jwt cookie session sess sessionid sessid "
        "phpsessid jsessionid sid csrf xsrf otp totp mnemonic signature sig api"
    ),
}
PROMISES = {
    word.encode().decode("latin-1"): kind
    for kind, words in _BY_KIND.items()
    for word in words.split()
}
"""Whole words; UTF-8 read as Latin-1, because that is how texts are read here."""

ENDS = (
    ("password", PASSWORD),
    ("passwort", PASSWORD),
    ("passphrase", PASSWORD),
    ("passwd", PASSWORD),
    ("pwd", PASSWORD),
    ("secret", SECRET),
    ("credentials", SECRET),
    ("token", TOKEN),
    ("apikey", KEY),
    ("secretkey", KEY),
    ("accesskey", KEY),
    ("salt", SALT),
)
"""Ends of words without a seam: `dbpassword`."""

STARTS = (
    ("password", PASSWORD),
    ("passwd", PASSWORD),
    ("passphrase", PASSWORD),
    ("secret", SECRET),
    ("credential", SECRET),
    ("token", TOKEN),
    ("apikey", KEY),
)
"""Beginnings of words without a seam: `passwordfield`."""

NOT_PASSWORDS = _set("bypass compass overpass surpass trespass underpass")
SEVERAL = _set("api creds credentials keys passwords secrets sess session tokens")
"""Words that name a thing or a collection as often as one value."""

KEYS = _set(
    "access account accounts admin aes api app application auth authentication authorization b2 "
    "basic bot bucket cipher client consumer cookie credential crypt crypto customer decrypt "
    "decryption deploy deployment des dev developer device ecdsa ed25519 enc encrypt encrypted "
    "encryption enterprise fernet function gpg hash hmac host ingest instrumentation integration "
    "jwe jwk jwt licence license live mac machine machinekey maps master member merchant mfa "
    "nacl openssl partner payload personal pgp priv private prod production project psk "
    "publishable rc4 rest root rsa sandbox sas secret secure security seed send server service "
    "session shared sig sign signature signing site ssh ssl storage stream subscription "
    "symmetric tenant test tls totp unseal user validation vapid vault verification verify "
    "wallet web webhook wep wpa write xor"
)
"""What stands before a key that is secret."""

NOT_KEYS = _set(
    "arrow attr attribute by cache col color column composite compound config context data "
    "datastore dedupe dict dictionary event external field filter foreign fs func group hash "
    "header hot i18n id idempotency index item json label lang language localization localized "
    "lookup map menu message meta natural next node obj object option order page param parent "
    "part partition path pref preference primary prop property pub public query range react "
    "redis ref registry render resource route row s3 schema search section setting settings "
    "shortcut sort state store string tab table template title top topic track trans translation "
    "tree type unique url var view widget"
)
"""What stands before a key that finds things."""

NEUTRAL = _set(
    "a admin again arg b b64 backup base64 bytes c confirm confirmation const correct current "
    "data db default dev development enc encoded encrypted env final for good hash hashed here "
    "hex in invalid literal live local main master my new of old one plain plaintext prod "
    "production raw repeat root sample secondary stage staging str string temp test testing text "
    "the three tmp to two user val valid value verify wrong x"
)
"""What behind a name leaves its meaning: `PASSWORD_2`, `tokenValue`."""

OTHER_THING = _set(
    "action actions address age alg algo algorithm algorithms alias arn array asset at attempts "
    "attribute attributes audience auto box bucket builder button by callback category change "
    "changed char chars check checker checksum claim claims class classes code codec codes col "
    "color column columns comment complexity component config configuration constraint "
    "constraints container content context converter count counter create created creation "
    "criteria css date days delay delimiter desc description dialog dict digest dir directory "
    "disabled doc docs domain duration el elem element email enabled encoder encoding encryption "
    "endpoint endpoints entity entry err error errors etag event exception exists expiration "
    "expire expired expires expiry export factory feature fetcher field fieldname fields file "
    "filename files filter fingerprint flag folder font forgot forgotten form format formatter "
    "func function generated generation generator group groups guard handler hasher header "
    "headers heading help helper hidden hint hints host html icon id identifier ids idx image "
    "impl index info input inputs interceptor interval issuer item items iterations java json "
    "kind kinds label labels lang layout len length level lifetime limit line link list listener "
    "loader location locator login lookup manager map mapper mapping max md5 mech mechanism "
    "message messages meta metadata method methods middleware min minutes mismatch missing mixin "
    "modal mode model module msg name names namespace navigation needed null number object on "
    "operation option options page panel param parameter parameters params parser path paths "
    "pattern period phase placeholder plugin policies policy port pos position prefix preset "
    "privilege processor prompt prop properties property props protocol provider providers "
    "purpose query question re recover recovery ref reference refresher regex regexp region "
    "registry reminder renderer repo repository request required requirement requirements "
    "requires reset resolver resource response result retriever role route router rule rules "
    "saver schema scheme scope scopes screen script section selector separator sequence "
    "serializer service services set setting settings setup sha show size source spec src state "
    "states status step storage store stores strategy stream strength strong style subject submit "
    "subtitle suffix support svg tab table tag tags task template templates thumbprint time "
    "timeout title toggle tooltip topic transformer translation ttl txt type types unit update "
    "updated uri url urls usage username users util utils validate validation validator "
    "validators validity variable verb verifier version versions view visibility visible warning "
    "weak widget width window word words xpath"
)
"""What behind a name makes it something about the secret: `passwordField`, `token_type`."""

VERBS = _set(
    "allow are ask assert build can change changed check clear contains count create delete "
    "disable enable enter equals expect fetch find forget forgot from gen generate get handle "
    "has have hide if input invalid is len load log make max min missing need needs no not num "
    "on parse per print prompt read remove render require requires reset should show to total "
    "update use uses using validate verify was with"
)
"""What before a name makes it something that is done: `checkPassword`."""

PREPOSITIONS = _set("for from of to")
"""What before a name leaves it the place or the purpose of something else: `vaultForSecrets`."""

PRODUCTS = _set("bitwarden kee last nord one proton")
"""What before a pass or password names a program that keeps passwords."""

UNREAL = _set(
    "bad bogus dummy example existing expired fake invalid mock mocked non not sample unknown wrong"
)
"""What before a name says that the value is none."""

FLEETING = _set("antiforgery authenticity csrf forgery requestverification xsrf")
"""What before a name says that the value is new on each page."""

PLACES = _set(
    "color continuation cursor design end next page pagination prev start sync syntax theme"
)
"""What before a token makes it a place in a list, or a matter of design."""

SETTERS = _set("access add admin api auth client db my new put set the use user using with")
"""What before a name leaves it a call that takes the secret: `setPassword`."""
