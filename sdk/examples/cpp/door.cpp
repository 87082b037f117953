// A door that tells when it was opened, in C++20. Prints the message for fieldwatch-send, as a program with an MQTT client of its
// own would publish it.
#include <cstdio>

#include <fieldwatch/security_message.hpp>

int main(int argc, char** argv) {
    const std::string agent_id = fieldwatch::security::make_id();  // a real program keeps it
    fieldwatch::security::Message message("door 1.0", agent_id);
    message.event(FIELDWATCH_CUSTOM).text("Name", "door-opened").extra("door", argc > 1 ? argv[1] : "1").extra("language", "c++").end();
    const auto body = message.finish();
    if (!body) {
        std::fprintf(stderr, "door: %s\n", fieldwatch::security::describe(body.status()).data());
        return 1;
    }
    std::puts(body->c_str());
    return 0;
}
