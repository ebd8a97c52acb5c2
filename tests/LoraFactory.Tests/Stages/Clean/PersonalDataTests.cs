using LoraFactory.Stages.Clean.Text;
using Xunit;

namespace LoraFactory.Tests.Stages.Clean;

public sealed class PersonalDataTests
{
    private static string Replace(string text) => PersonalData.Replace(text, new TextChanges());

    [Theory]
    [InlineData("Write to anna.smith+plans@mail.example.co.uk today.", "Write to [EMAIL] today.")]
    [InlineData("<jörg@büro.example>, or o'neil@site.example", "<[EMAIL]>, or [EMAIL]")]
    [InlineData("Call (212) 555-0123 or 212-555-0123.", "Call [PHONE] or [PHONE].")]
    [InlineData("Tel. 030 1234567, mobil 0171/2345678", "Tel. [PHONE], mobil [PHONE]")]
    [InlineData("+49 30 1234567 and +1-212-555-0123 and +442079460958", "[PHONE] and [PHONE] and [PHONE]")]
    [InlineData("手机13812345678，请来电", "手机[PHONE]，请来电")]
    [InlineData("Card 4111 1111 1111 1111 or 378282246310005", "Card [CARD] or [CARD]")]
    [InlineData("IBAN DE89 3704 0044 0532 0130 00, GB82WEST12345698765432.", "IBAN [IBAN], [IBAN].")]
    [InlineData("身份证11010519491231002X。", "身份证[ID]。")]
    [InlineData("SSN 536-90-4399", "SSN [ID]")]
    [InlineData("BSN 111222333, DNI 12345678Z, NIE X1234567L", "BSN [ID], DNI [ID], NIE [ID]")]
    [InlineData("NIR 1 84 12 76 451 089 46", "NIR [ID]")]
    [InlineData("Steuer-ID 86095742719; CPF 111.444.777-35", "Steuer-ID [ID]; CPF [ID]")]
    [InlineData("Aadhaar 9999 4105 7058", "Aadhaar [ID]")]
    [InlineData("from 8.8.8.8 and 2001:4860:4860::8888 at night", "from [IP] and [IP] at night")]
    [InlineData("Call 212-555-0123,ask for Ann", "Call [PHONE],ask for Ann")]
    [InlineData("Tel. 030 1234567,0171 2345678", "Tel. [PHONE],[PHONE]")]
    [InlineData("(212) 555-0123,(212) 555-0124", "[PHONE],[PHONE]")]
    [InlineData("Cards 4111 1111 1111 1111,5555 5555 5555 4444", "Cards [CARD],[CARD]")]
    [InlineData("+49 30 1234567,+1-212-555-0123", "[PHONE],[PHONE]")]
    [InlineData("BSN 111222333,geboren", "BSN [ID],geboren")]
    [InlineData("Call 212-555-0123x45 or 212-555-0123 x4567.", "Call [PHONE] or [PHONE].")]
    [InlineData("+442079460958x12 or tel. 030 1234567 ext. 8", "[PHONE] or tel. [PHONE]")]
    [InlineData("(212) 555-0123 extension 901", "[PHONE]")]
    [InlineData("写信给anna@site.example请尽快回复我们的朋友，谢谢大家的帮助和支持", "写信给[EMAIL]请尽快回复我们的朋友，谢谢大家的帮助和支持")]
    [InlineData("メールはtaro.yamada@mail.example.jpまで", "メールは[EMAIL]まで")]
    [InlineData("пишитеanna@site.exampleсегодня", "пишите[EMAIL]сегодня")]
    [InlineData("почта@пример.рф и jörg.müller@büro.example", "[EMAIL] и [EMAIL]")]
    [InlineData("Visa card 4006381000093 and Visa 4222222222222", "Visa card [CARD] and Visa [CARD]")]
    public void What_names_a_person_or_an_account_gets_a_placeholder(string text, string expected) => Assert.Equal(expected, Replace(text));

    [Theory]
    [InlineData("ISBN 978-3-16-148410-0 and 0-306-40615-2 and 9783161484100")]
    [InlineData("version 10.15.7.1, v1.2.3.4, Chrome 91.0.4472.124, release 8.8.8.8")]
    [InlineData("1920x1080, 210 × 297 mm, 12.5 × 30.25 × 4")]
    [InlineData("2024-01-15, 15.01.2024, 01/15/2024, 20240115, 12:30:45")]
    [InlineData("$1,299.00, 1.299,00 €, EUR 12 500 000, 1 000 000 people")]
    [InlineData("1914-1918, 1999–2004, 2015 2016 2017 2018")]
    [InlineData("192.168.1.1, 127.0.0.1, 10.0.0.7, 0.0.0.0, fe80::1")]
    [InlineData("icon@2x.png, user@localhost, @handle, a @ b")]
    [InlineData("4111 1111 1111 1112, 1234567890123456")]
    [InlineData("111222334, 12345678A, SSN 000-12-3456, 666-12-3456, 900-12-3456")]
    [InlineData("MAC 00:1B:44:11:3A:B7, ratio 16:9, namespace std::vector, a::b")]
    [InlineData("sheet 12-34-56, room 101-102-103, part no. 212-555-01")]
    [InlineData("DE89 3704 0044 0532 0130 01, GB82WEST12345698765433")]
    [InlineData("3.14159265358979, 6.02214076e23, 12345678901234567890")]
    [InlineData("the years 1066 1485 1603 1714, lines 100-200")]
    [InlineData("lot 86095742718 and invoice 111222333 and order 999941057058")]
    [InlineData("scale 1:100, 1/4-20 thread, DIN 476-2, ISO 216:2007, RFC 9309")]
    [InlineData("1234567,89 and 12 500 000,50 and 4111111111111111,5")]
    [InlineData("1200x800, 1920x1080x24, 2125550x12, 300x5")]
    [InlineData("EAN 4006381000093, article 4006381000192")]
    public void What_only_looks_like_it_stays(string text) => Assert.Equal(text, Replace(text));

    [Fact]
    public void Check_digits_are_those_of_the_standards()
    {
        Assert.True(CheckDigits.Luhn("79927398713")); // the usual example of the sum
        Assert.False(CheckDigits.Luhn("79927398710"));
        Assert.True(CheckDigits.IsIban("FR1420041010050500013M02606"));
        Assert.True(CheckDigits.IsIban("NL91ABNA0417164300"));
        Assert.True(CheckDigits.IsCard("5555555555554444") && CheckDigits.IsCard("6011111111111117") && CheckDigits.IsCard("3530111333300000"));
        Assert.False(CheckDigits.IsCard("0000000000000000") || CheckDigits.IsCard("9783161484100"));
        Assert.True(CheckDigits.IsGermanTaxId("86095742719"));
        Assert.True(CheckDigits.IsBsn("111222333"));
        Assert.False(CheckDigits.IsBsn("111222334"));
        Assert.True(CheckDigits.IsCpf("11144477735"));
        Assert.True(CheckDigits.IsSpanishId("00000000T"));
        Assert.True(CheckDigits.IsAadhaar("999941057058"));
        Assert.False(CheckDigits.IsAadhaar("999941057059"));
        Assert.False(CheckDigits.IsChineseId("110105194902310021"));
    }
}
