import Hibernation

@main
struct Init {
    static func main() { runInit() }
}
