"""What is found where: every form, with the exact value, in a file and in a patch."""

from __future__ import annotations

import pytest

from airlock.leaks import generic
from unit.leaks.generic.generic_support import ends, filled, found

FOUND = [
    ("a.py", 'password = "@word@"', "generic-password"),
    ("a.py", 'os.environ.setdefault("MAIL_PASSWORD", "@mixed@")', "generic-password"),
    ("a.py", 'token = os.getenv("ACME_TOKEN", "@token@")', "generic-token"),
    ("a.py", 'requests.get(url, auth=("bob", "@mixed@"))', "generic-password"),
    ("a.py", 'headers = {"Authorization": "Bearer @token@"}', "bearer-token"),
    ("a.py", 'headers = {"Authorization": "Basic @basic@"}', "basic-auth"),
    ("a.py", 'if password == "@human@":', "generic-password"),
    ("a.py", 'JWT_SECRET: str = "@hex@"', "generic-secret"),
    ("a.py", 'password = (\n    "@human@"\n)', "generic-password"),
    ("a.py", 'encryption_key = bytes.fromhex("@hex@")', "generic-key"),
    ("a.py", 'salt = "@hex@"', "salt"),
    ("a.py", "'password': '@digits@'", "generic-password"),
    ("a.js", "  apiKey: '@token@',", "generic-key"),
    ("a.js", "const s = process.env.JWT_SECRET || '@token@';", "generic-secret"),
    ("a.js", "connect('mongodb://admin:@mixed@@db.acme.io:27017/app')", "url-credentials"),
    ("a.java", 'user.setPassword("@human@");', "generic-password"),
    ("a.java", 'if ("@human@".equals(password)) {', "generic-password"),
    ("a.java", 'new UsernamePasswordCredentials("admin", "@mixed@")', "generic-password"),
    ("a.cs", '"Server=db;User Id=sa;Password=@mixed@;"', "connection-string"),
    ("a.go", 'var apiToken string = "@token@"', "generic-token"),
    ("a.rs", 'const API_KEY: &str = "@token@";', "generic-key"),
    ("a.c", '#define WIFI_PASSWORD "@mixed@"', "generic-password"),
    ("a.php", "define('DB_PASSWORD', '@mixed@');", "generic-password"),
    ("a.m", 'NSString *const kPassword = @"@mixed@";', "generic-password"),
    ("a.r", 'password <- "@mixed@"', "generic-password"),
    ("a.clj", '{:password "@mixed@"}', "generic-password"),
    ("a.sh", "export DB_PASSWORD=@mixed@", "generic-password"),
    ("a.sh", "curl -u admin:@mixed@ https://ci.acme.io", "shell-password"),
    ("a.sh", "curl https://ci.acme.io \\\n  -u admin:@mixed@", "shell-password"),
    ("a.sh", "mysql -u root -p@mixed@ db", "shell-password"),
    ("a.sh", "sshpass -p '@mixed@' ssh root@10.0.0.4", "shell-password"),
    ("a.sh", "./deploy --api-key @token@ --env prod", "generic-key"),
    ("a.sh", 'echo "root:@mixed@" | chpasswd', "shell-password"),
    ("a.ps1", 'ConvertTo-SecureString "@mixed@" -AsPlainText -Force', "shell-password"),
    ("a.tf", 'variable "db_password" { default = "@mixed@" }', "generic-password"),
    ("Dockerfile", "ENV MYSQL_ROOT_PASSWORD @mixed@", "generic-password"),
    ("a.json", '  "password":\n    "@mixed@"', "generic-password"),
    ("a.json", '{"auths": {"r.acme.io": {"auth": "@basic@"}}}', "generic-token"),
    ("a.yaml", "password: @mixed@", "generic-password"),
    ("a.yaml", '- name: DB_PASSWORD\n  value: "@mixed@"', "generic-password"),
    ("a.properties", "spring.datasource.password=@mixed@", "generic-password"),
    ("a.xml", "<password>@mixed@</password>", "generic-password"),
    ("a.xml", '<add key="ApiSecret" value="@token@" />', "generic-secret"),
    ("a.plist", "<key>ApiToken</key>\n<string>@token@</string>", "generic-token"),
    ("a.sql", "CREATE USER app IDENTIFIED BY '@mixed@';", "sql-password"),
    ("a.sql", "ALTER ROLE app WITH PASSWORD '@mixed@';", "sql-password"),
    (".netrc", "machine api.acme.io login bob password @token@", "generic-password"),
    (".pgpass", "db.acme.io:5432:app:app:@token@", "generic-password"),
    (".htpasswd", "bob:@crypt@", "password-hash"),
    ("a.conf", "requirepass @token@", "generic-password"),
    ("a.md", "The admin password is `@mixed@`", "generic-password"),
    ("a.md", "ID/PW: admin/@mixed@", "generic-password"),
    ("a.md", "| password | @mixed@ |", "generic-password"),
    ("a.md", "curl https://api.acme.io/v1?api_key=@token@", "generic-key"),
    ("a.txt", "Passwort: @mixed@", "generic-password"),
    ("a.txt", "contraseña: @mixed@", "generic-password"),
    ("a.txt", "пароль: @mixed@", "generic-password"),
    ("a.txt", "密码：@mixed@", "generic-password"),  # noqa: RUF001 - as it is written
    ("a.log", "Set-Cookie: sessionid=@token@; Path=/", "generic-token"),
]

LEFT = [
    ("a.py", 'password = os.getenv("DB_PASSWORD")'),
    ("a.py", 'password = "password"'),
    ("a.py", 'password = "<your password>"'),
    ("a.py", 'parser.add_argument("--password", help="The password to use")'),
    ("a.py", 'TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"'),
    ("a.py", 'token_url = "https://auth.acme.io/oauth/token"'),
    ("a.py", 'key = "user_id"'),
    ("a.py", 'keyboard = "qwertz"'),
    ("a.py", 'tokenizer = "bert-base-uncased"'),
    ("a.py", 'public_key = "@base64@"'),
    ("a.py", 'sha256 = "@hex@"'),
    ("a.py", 'password = r"^(?=.*[A-Z]).{8,}$"'),
    ("a.py", 'names = ("pw_name", "pw_passwd", "pw_uid")'),
    ("a.py", "salt = os.urandom(16)"),
    ("a.py", "raise ValueError('password: must be at least 8 characters')"),
    ("a.js", "password: this.state.password,"),
    ("a.js", 'headers: { Authorization: "Bearer <token>" }'),
    ("a.js", '"integrity": "sha512-@base64@"'),
    ("a.java", 'private static final String PASSWORD_KEY = "app.user.password";'),
    ("a.sh", 'curl -u "$USER:$PASS" https://acme.io'),
    ("a.sh", "docker run -p 8080:80 nginx"),
    ("a.sh", "docker run --link db:mongo -p 1337:1337 app"),
    ("a.ps1", "publish --password $MaestroToken"),
    ("a.yaml", "password: ${DB_PASSWORD}"),
    ("a.yaml", "secretName: tls-certificate"),
    ("a.yaml", "password: ENC[AES256_GCM,data:@base64@]"),
    ("a.yaml", "# id/password: admin/@mixed@"),
    ("a.yaml", "data: ENC[AES256_GCM,data:@base64@,iv:@base64@,tag:@base64@,type:str]"),
    ("a.json", '"@acme/auth-token": "npm:^4.0.0"'),
    ("messages_nl.properties", "password=Wachtwoord"),
    ("locales/cy/portal.json", '"Password": "Cyfrinair"'),
    ("countries.json", '"PW": "Palau",'),
    ("a.yaml", "keyVaultToStoreSecrets: app2-qa-1208358310"),
    ("a.cls", "password = request.get{name}value;"),
    ("a.json", '"Repeat password": "Ailadrodd cyfrinair"'),
    ("a.go", 'Session: []byte(`{"id_token":{"requested_at":"2018-12-10T13:49:51.141Z"}}`),'),
    ("a.yaml", "key: cache-zhdsn586je-api${{ env.LEVEL }}"),
    (
        "NuGet.config",
        '<add key="darc-pub-core-aee5e40" value="https://pkgs.acme.io/v3/index.json" />',
    ),
    ("a.py", "t = page.split('\"csrftoken\" value=\"')[1].split('\"')[0]"),
    ("a.rb", "{:authentication => 'CRAM-MD5', :user_name => 'foo'}"),
    ("a.sh", 'feedKey="--feed-credential $decodedFeedKey"'),
    ("a.py", "assert key.etag == '098f6bcd4621d373cade4e832627b4f6'"),
    ("a.xml", "<clientToken>token-f5b56c05-09b0-4d17-8d8c-c75d8a67b806</clientToken>"),
    ("locale/locale_hu-HU.ini", "password=Jelszó"),
    ("a.java", 'login(URLDecoder.decode(password, "UTF-8"));'),
    ("a.ts", "this.secret = `acme_${randomString(32)}`;"),
    ("a.rst", "    $password = $helper->ask($input, $output, $question);"),
    ("a.ts", 'LastPass = "@uuid@",'),
    ("a.sh", 'export DB_PASSWORD="${BASH_REMATCH[3]}"'),
    ("a.sh", "export PW=`pwgen -Bs 10 1`"),
    ("a.ps1", "login -Password $Env:Token"),
    ("a.js", "reset = link.split('token=')[1].split('&')[0];"),
    ("a.c", 'printf("%s", ok ? "Pass" : "Fail!");'),
    ("a.java", " * mapped to this user account (as identified by user.id)."),
    ("a.sh", "local password=$(grep -oP '^password=\\K.+' $1);"),
    ("a.java", 'VERIFY_KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A@base64@";'),
    ("a.md", "https://user:password@acme.io/"),
    ("a.md", "password: ```\nget it from the vault\n```"),
    ("a.sql", "CREATE TABLE u (password VARCHAR(255) NOT NULL);"),
]


@pytest.mark.parametrize(("path", "template", "rule"), FOUND)
@pytest.mark.parametrize("seed", [3, 4])
def test_a_secret_is_found_in_every_form_and_exactly(
    path: str, template: str, rule: str, seed: int
) -> None:
    text, (value, *_) = filled(template, seed)

    assert (rule, value) in found(f"{text}\n", path)


@pytest.mark.parametrize(("path", "template"), LEFT)
def test_what_only_reads_like_a_secret_is_left(path: str, template: str) -> None:
    text, _ = filled(template)

    assert found(f"{text}\n", path) == []


@pytest.mark.parametrize("template", [each[1] for each in FOUND])
def test_a_trigger_sees_the_form_in_a_patch_as_well(template: str) -> None:
    text, _ = filled(template)

    patch = "".join(f"+{line}\n" for line in text.split("\n"))

    assert ends(patch.encode())


@pytest.mark.parametrize("line", ["password: ", "DB_PASS=", "API_SECRET=", "Passwort: "])
@pytest.mark.parametrize("marks", ["a$", "Zk(", "q{8", "7*x<"])
def test_a_bare_value_may_have_any_marks_behind_its_first_byte(line: str, marks: str) -> None:
    value = filled(f"{marks}@mixed@")[0]
    assert [secret for _, secret in found(f"{line}{value}\n", ".env")] == [value]


def test_the_first_literal_of_two_joined_is_reported() -> None:
    text, (first, second) = filled('secret = "@mixed@" + "@token@"')

    assert found(text, "a.py") == [("generic-secret", first)]
    assert second not in first


def test_a_command_line_is_not_cut_at_its_continuations() -> None:
    text, (value,) = filled("curl -X POST \\\n  -H 'a: b' \\\n  -u admin:@mixed@ https://acme.io\n")

    assert ("shell-password", value) in found(text, "a.sh")


def test_several_on_one_line_are_all_found_once() -> None:
    text, (one, two) = filled('{"password": "@mixed@", "apiKey": "@token@"}')

    assert found(text, "a.json") == [("generic-password", one), ("generic-key", two)]


def test_offsets_are_bytes_of_the_text() -> None:
    text, (value,) = filled('título = "ñandú"; contraseña = "@mixed@"')

    assert found(text, "a.txt") == [("generic-password", value)]


@pytest.mark.parametrize("value", [b"\xd2L2P^s-\xbb/7a", b"k3\x01\x7fw9Qz"])
def test_bytes_that_nobody_types_are_left(value: bytes) -> None:
    text = b"salt: " + value + b"\n"

    assert list(generic.candidates(text, range(1, len(text)), "a.bin")) == []
