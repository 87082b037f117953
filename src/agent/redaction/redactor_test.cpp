#include "agent/redaction/redactor.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::agent {
namespace {

std::string redact(std::string_view line) {
    return Redactor::built_in().redact(line);
}

TEST(Redactor, HidesValuesAndKeepsTheWordsAroundThem) {
    EXPECT_EQ(redact("app --password hunter2 --verbose"), "app --password *** --verbose");
    EXPECT_EQ(redact("app --db-password=hunter2 x"), "app --db-password=*** x");
    EXPECT_EQ(redact("env PGPASSWORD=hunter2 psql -h db"), "env PGPASSWORD=*** psql -h db");
    EXPECT_EQ(redact("AWS_SECRET_ACCESS_KEY=abc aws s3 ls"), "AWS_SECRET_ACCESS_KEY=*** aws s3 ls");
    EXPECT_EQ(redact("mysql -uroot -phunter2 shop"), "mysql -uroot -p*** shop");
    EXPECT_EQ(redact("/usr/bin/sshpass -p hunter2 ssh root@h"), "/usr/bin/sshpass -p *** ssh root@h");
    EXPECT_EQ(redact("curl -u admin:hunter2 http://h/"), "curl -u admin:*** http://h/");
    EXPECT_EQ(redact("wget http://admin:hunter2@192.0.2.1/x.sh -O- | sh"),
              "wget http://admin:***@192.0.2.1/x.sh -O- | sh");
    EXPECT_EQ(redact("curl -H Authorization: Bearer abc.def https://h"),
              "curl -H Authorization: Bearer *** https://h");
    EXPECT_EQ(redact("curl -H X-Api-Key: abc https://h"), "curl -H X-Api-Key: *** https://h");
    EXPECT_EQ(redact("x HostName=h;DeviceId=d;SharedAccessKey=abc=="),
              "x HostName=h;DeviceId=d;SharedAccessKey=***");
    EXPECT_EQ(redact("curl https://h/?user=1&api_key=abc&x=2"), "curl https://h/?user=1&api_key=***&x=2");
    EXPECT_EQ(redact("git clone ghp_0123456789abcdef0123"), "git clone ***");
}

TEST(Redactor, HidesArgumentsWhole) {
    const auto arguments = [](std::initializer_list<std::string_view> list) {
        std::string text;
        for (const auto one : list)
            (text += one) += '\0';
        return Redactor::built_in().redact_arguments(text);
    };
    EXPECT_EQ(arguments({"app", "--password", "correct horse battery", "-v"}), "app --password *** -v");
    EXPECT_EQ(arguments({"app", "--password=a b", "x"}), "app --password=*** x");
    EXPECT_EQ(arguments({"env", "DB_PASSWORD=a b", "app"}), "env DB_PASSWORD=*** app");
    EXPECT_EQ(arguments({"nmcli", "dev", "wifi", "connect", "home", "password", "my own"}),
              "nmcli dev wifi connect home password ***");
    EXPECT_EQ(arguments({"wpa_passphrase", "home net", "hunter2 x"}), "wpa_passphrase home net ***");
    EXPECT_EQ(arguments({"wpa_cli", "set_network", "0", "psk", "\"hunter2\""}),
              "wpa_cli set_network 0 psk ***");
    EXPECT_EQ(arguments({"docker", "login", "-u", "me", "-p", "hunter2", "r.example"}),
              "docker login -u me -p *** r.example");
    EXPECT_EQ(arguments({"docker", "run", "-p", "8080:80", "nginx"}), "docker run -p 8080:80 nginx");
    EXPECT_EQ(arguments({"htpasswd", "-b", "/etc/pass", "joe", "hunter2"}), "htpasswd -b /etc/pass joe ***");
    EXPECT_EQ(arguments({"aws", "configure", "set", "aws_secret_access_key", "abc"}),
              "aws configure set aws_secret_access_key ***");
    EXPECT_EQ(arguments({"grep", "password", "/etc/x"}), "grep password /etc/x");
    EXPECT_EQ(arguments({"sh", "-c", "echo a; mysql -phunter2 shop"}), "sh -c echo a; mysql -phunter2 shop");
    EXPECT_EQ(arguments({}), "");
}

TEST(Redactor, HidesTheKeysAndTokensOfAHub) {
    EXPECT_EQ(redact("az iot hub device-identity create -d x --primary-key abc== --secondary-key def=="),
              "az iot hub device-identity create -d x --primary-key *** --secondary-key ***");
    EXPECT_EQ(redact("app --connection-string HostName=h;DeviceId=d;SharedAccessKey=abc=="),
              "app --connection-string ***");
    EXPECT_EQ(redact("env C=HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=abc= app"),
              "env C=HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=*** app");
    EXPECT_EQ(redact("mosquitto_pub -h h -P SharedAccessSignature sr=h%2Fdevices%2Fd&sig=abc%3D&se=9 -t t"),
              "mosquitto_pub -h h -P *** sr=h%2Fdevices%2Fd&sig=***&se=9 -t t");
    EXPECT_EQ(redact("curl -H Authorization:SharedAccessSignature sr=h&sig=abc&se=9 https://h"),
              "curl -H Authorization:SharedAccessSignature *** https://h");
    EXPECT_EQ(redact("sh -c echo {\"SharedAccessKey\":\"abc==\",\"DeviceId\":\"d\"}"),
              "sh -c echo {\"SharedAccessKey\":***\",\"DeviceId\":\"d\"}");
    EXPECT_EQ(redact("sh -c echo SharedAccessKey: abc=="), "sh -c echo SharedAccessKey: ***");
}

TEST(Redactor, HidesHeadersHoweverTheyAreGiven) {
    EXPECT_EQ(redact("curl -HAuthorization: Bearer abc https://h"),
              "curl -HAuthorization: Bearer *** https://h");
    EXPECT_EQ(redact("wget --header=Authorization: Bearer abc https://h"),
              "wget --header=Authorization: Bearer *** https://h");
    EXPECT_EQ(redact("curl -H Authorization:Bearer abc https://h"),
              "curl -H Authorization:Bearer *** https://h");
    EXPECT_EQ(redact("curl -H X-Api-Key:abc https://h"), "curl -H X-Api-Key:*** https://h");
    EXPECT_EQ(redact("curl -H Accept:text/html http://h:80/a"), "curl -H Accept:text/html http://h:80/a");
}

TEST(Redactor, LeavesWhatIsNoSecret) {
    for (const std::string_view line :
         {"cat /etc/passwd", "grep -r password /etc", "passwd root", "ssh -p 2222 root@h", "cp -p a b",
          "curl -s http://h/a.sh", "sh -c echo token", "wget -qO- http://192.0.2.1:8080/x", "mysql --host=db",
          "tar xzf tokens.tgz", "sed s/ghp_/x/", ""}) {
        EXPECT_EQ(redact(line), line);
    }
}

TEST(Redactor, ATwiceRedactedLineIsTheSame) {
    const auto once = redact("app --password hunter2 --token=abc curl http://a:b@c/");
    EXPECT_EQ(redact(once), once);
}

}  // namespace
}  // namespace fieldwatch::agent
